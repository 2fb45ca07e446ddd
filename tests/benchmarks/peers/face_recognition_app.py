"""face_recognition (dlib) behind FastAPI: HOG detector and ResNet, its defaults. Needs its own environment."""

import io

import face_recognition
import numpy as np
from fastapi import FastAPI, HTTPException, UploadFile

app = FastAPI()


def _encoding(file: UploadFile) -> np.ndarray:
    image = face_recognition.load_image_file(io.BytesIO(file.file.read()))
    encodings = face_recognition.face_encodings(image)
    if not encodings:
        raise HTTPException(422, "no face")
    return encodings[0]


@app.get("/health/ready")
def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/verify")
def verify(image1: UploadFile, image2: UploadFile) -> dict[str, float | bool]:
    distance = float(np.linalg.norm(_encoding(image1) - _encoding(image2)))
    return {"verified": distance < 0.6, "distance": distance}
