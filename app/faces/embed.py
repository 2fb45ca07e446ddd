"""Crops to embeddings: the ONNX embedder, fed as its own model card says."""

import hashlib
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.domain import Embedding
from app.errors import ConfigurationError
from app.faces.card import CardInput, ModelCard, read_card
from app.faces.decode import Pixels
from app.faces.runtime import Device, open_session


class FaceEmbedder:
    """A FaceNet in ONNX Runtime. Safe to call from several threads at once."""

    card: ModelCard

    def __init__(self, path: Path, *, device: Device = Device.CPU, threads: int = 1) -> None:
        """Raises ConfigurationError where the file, its card or the device is wrong."""
        self._session = open_session(path, device=device, threads=threads)
        self.card = read_card(self._session, hashlib.sha256(path.read_bytes()).hexdigest())
        self._input_name = self._session.get_inputs()[0].name
        self._check_embedding_size(path)

    def embed(self, crops: Pixels) -> Embedding:
        """uint8 (n, crop_px, crop_px, 3), RGB, to unit vectors, float32 (n, embedding_size)."""
        (embeddings,) = self._session.run(None, {self._input_name: network_input(crops, self.card.input)})
        return cast(Embedding, embeddings)

    @property
    def provider(self) -> str:
        """What runs the network: `CPUExecutionProvider` or `CUDAExecutionProvider`, as ONNX Runtime itself says."""
        return str(self._session.get_providers()[0])

    def _check_embedding_size(self, path: Path) -> None:
        size, found = self.card.input.crop_px, self.card.embedding_size
        shape = self.embed(np.zeros((1, size, size, 3), np.uint8)).shape
        if shape != (1, found):
            raise ConfigurationError(f"{path} gives embeddings of shape {shape}, its card says (1, {found})")


def network_input(crops: Pixels, expected: CardInput) -> NDArray[np.float32]:
    """uint8 (n, side, side, 3), RGB, to float32 (n, 3, side, side) in the expected colours."""
    channels = crops if expected.colour == "RGB" else crops[..., ::-1]
    planes = np.ascontiguousarray(channels.transpose(0, 3, 1, 2), dtype=np.float32)
    planes -= np.float32(expected.mean)
    planes *= np.float32(1.0 / expected.std)
    return planes
