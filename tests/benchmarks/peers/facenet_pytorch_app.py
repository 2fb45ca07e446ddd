"""facenet-pytorch's own MTCNN and InceptionResnetV1 behind FastAPI, in PyTorch.

The published weights are fetched where they can be; without them the network is as fast, and only its answers are
meaningless.
"""

import io

import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from fastapi import FastAPI, HTTPException, UploadFile
from PIL import Image

app = FastAPI()
detector = MTCNN(image_size=160, min_face_size=40)
embedder = InceptionResnetV1(num_classes=2, classify=False).eval()


def _embedding(file: UploadFile) -> torch.Tensor:
    face = detector(Image.open(io.BytesIO(file.file.read())).convert("RGB"))
    if face is None:
        raise HTTPException(422, "no face")
    with torch.inference_mode():
        return embedder(face[None])[0]


@app.get("/health/ready")
def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/verify")
def verify(image1: UploadFile, image2: UploadFile) -> dict[str, float | bool]:
    distance = float((_embedding(image1) - _embedding(image2)).square().sum())
    return {"verified": distance < 1.1, "distance": distance}
