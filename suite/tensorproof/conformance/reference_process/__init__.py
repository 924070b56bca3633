"""The reference in a process of its own, which imports no plugin and no framework, and a cache of what it computed."""
