"""What a run leaves behind: its record, summary, and comparison with others."""
