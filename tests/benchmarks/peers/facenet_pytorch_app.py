"""facenet-pytorch's own MTCNN and InceptionResnetV1 behind FastAPI, in PyTorch.

The detector has its published weights, which come with the package. The embedding network has random ones: the
published are a download, take as long, and give answers that mean something.
"""

import io
from importlib.metadata import version

import torch
from fastapi import FastAPI, HTTPException, UploadFile
from PIL import Image

from tests.benchmarks.peers import torchvision_parts

STAND_IN = torchvision_parts.install()

from facenet_pytorch import MTCNN, InceptionResnetV1  # noqa: E402, imports torchvision

torch.manual_seed(0)
app = FastAPI()
detector = MTCNN(image_size=160, min_face_size=40)
embedder = InceptionResnetV1(num_classes=2, classify=False).eval()


def versions() -> dict[str, str]:
    torchvision = "stand-in for batched_nms and to_tensor" if STAND_IN else version("torchvision")
    return {
        "facenet-pytorch": version("facenet-pytorch"),
        "torch": torch.__version__,
        "torchvision": torchvision,
        "weights of the embedding network": "random",
    }


def _face(data: bytes) -> torch.Tensor:
    face = detector(Image.open(io.BytesIO(data)).convert("RGB"))
    if face is None:
        raise HTTPException(422, "no face")
    return face


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/verify")
async def verify(image1: UploadFile, image2: UploadFile) -> dict[str, float | bool]:
    faces = torch.stack([_face(await image1.read()), _face(await image2.read())])
    with torch.inference_mode():
        first, second = embedder(faces)
    distance = float((first - second).square().sum())
    return {"verified": distance < 1.1, "distance": distance}
