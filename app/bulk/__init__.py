"""Work on many photographs at once, through the client: what `sameface enroll` and `sameface cluster` do."""
