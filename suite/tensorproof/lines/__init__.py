"""The one way in which records, histories and pages are written and read: lines of JSON, checked, private, never overwritten."""
