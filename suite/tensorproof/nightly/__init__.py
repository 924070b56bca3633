"""Night after night: conformance and timings, a history, three gates, and a page and a summary before any alarm."""
