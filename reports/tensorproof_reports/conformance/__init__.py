"""From records of conformance to what the page shows."""
