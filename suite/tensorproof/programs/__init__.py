"""Programs: compositions of operations, judged by the same bars as one operation."""
