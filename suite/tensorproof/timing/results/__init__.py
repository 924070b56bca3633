"""What is made of measured times: statistics, trust, and the lines of a record."""
