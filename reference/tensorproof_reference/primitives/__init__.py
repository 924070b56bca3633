"""What programs are made of, in tables: functions of one number and of two, choices, comparisons (profile ``extended``)."""
