"""What a user would pick instead, each behind one minimal route with the same form fields.

Each module has `app` and `versions`, and runs in an environment with its packages, fastapi, uvicorn and
python-multipart; of this repository it needs nothing else. Routes are coroutines, so that a process computes one answer
at a time: dlib releases Python's lock and crashes where two threads run one network for the first time.
"""
