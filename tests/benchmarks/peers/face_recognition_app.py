"""face_recognition (dlib) behind FastAPI: HOG detector and ResNet, its defaults.

apt-get install cmake g++ libopenblas-dev liblapack-dev
python3 -m venv peers
peers/bin/pip install wheel 'setuptools<81' fastapi uvicorn python-multipart face_recognition_models
peers/bin/pip install --no-build-isolation dlib && peers/bin/pip install --no-deps face_recognition
"""

import io
from importlib.metadata import version

import dlib
import face_recognition
import numpy as np
from fastapi import FastAPI, HTTPException, UploadFile

app = FastAPI()


def versions() -> dict[str, str]:
    blas = "with BLAS" if dlib.DLIB_USE_BLAS else "without BLAS"
    return {"face_recognition": version("face_recognition"), "dlib": f"{dlib.__version__} {blas}"}


def _encoding(data: bytes) -> np.ndarray:
    encodings = face_recognition.face_encodings(face_recognition.load_image_file(io.BytesIO(data)))
    if not encodings:
        raise HTTPException(422, "no face")
    return encodings[0]


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/verify")
async def verify(image1: UploadFile, image2: UploadFile) -> dict[str, float | bool]:
    first, second = _encoding(await image1.read()), _encoding(await image2.read())
    distance = float(np.linalg.norm(first - second))
    return {"verified": distance < 0.6, "distance": distance}
