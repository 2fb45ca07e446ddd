"""API keys: what they are, where they are kept, and the copy in memory that requests are checked against."""
