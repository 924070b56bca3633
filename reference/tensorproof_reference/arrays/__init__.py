"""What moves, takes, puts and sorts the numbers of an array, in tables (profile ``extended``)."""
