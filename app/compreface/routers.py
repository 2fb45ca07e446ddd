"""All of CompreFace's paths."""

from app.compreface import detection, faces, recognition, subjects, verification

ROUTERS = (recognition.router, faces.router, subjects.router, verification.router, detection.router)
