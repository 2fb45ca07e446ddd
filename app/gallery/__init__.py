"""The only place that knows SQL and FAISS. The database is the truth; the index is a cache with a revision number."""

import os

# FAISS's threads would spin for milliseconds after a search, on cores that photographs are being read on. The runtime
# of OpenMP looks at this when FAISS is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
