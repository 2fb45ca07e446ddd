"""Broken, hostile and odd images against a running service: `python -m tests.fuzz`."""
