"""The only place that knows SQL and FAISS. The database is the truth; the index is a cache with a revision number."""
