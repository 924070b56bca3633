"""Models as data, and how they are evaluated, trained and fitted by the reference's operations."""
