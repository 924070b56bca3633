"""A folder for a static host: runs and nights, the page of the runs, and a page for each operation with an address that stays."""
