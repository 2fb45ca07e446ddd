"""What a user would pick instead, each behind one minimal route with the same form fields.

Each module has `app` and `versions`, and runs in an environment with its packages, fastapi, uvicorn and
python-multipart; of this repository it needs nothing else. Routes are coroutines, so that a process computes one answer
at a time: dlib 20.0.1 releases Python's lock, and at times crashes where the first two come together on threads.
"""
