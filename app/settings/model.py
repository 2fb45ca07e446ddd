"""Which networks run, where, and on how many threads."""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from app.cores import available_cores

REPOSITORY = Path(__file__).resolve().parents[2]


class ModelSettings(BaseModel):
    """The detector and the embedding model."""

    weights_dir: Path = Field(
        REPOSITORY / "models" / "weights", description="Folder of the ONNX files; by default the repository's own."
    )
    model: str = Field(
        "facenet-nn2-128", min_length=1, description="Name of the embedding model's file, without `.onnx`."
    )
    start_without_faces: bool = Field(
        False,
        description="Start although faces are stored of other models and none of the served one; for enrolling them "
        "again after a change of the model where no crops were kept.",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the networks run; `cuda` needs the `gpu` extra.")
    inference: Literal["auto", "processes", "threads"] = Field(
        "auto",
        description="Where photographs are read: in `processes`, which is faster without a GPU and outlives a decoder "
        "that crashes, or on `threads`, which a GPU wants because the faces of all requests share its batches. `auto` "
        "goes by the device.",
    )
    image_workers: int = Field(
        default_factory=available_cores,
        ge=1,
        le=256,
        description="Processes or threads that read photographs; by default one a core.",
    )
    detector_threads: int = Field(1, ge=1, le=256, description="ONNX Runtime threads that share one detection.")
    embedder_threads: int = Field(1, ge=1, le=256, description="ONNX Runtime threads that share one batch of faces.")
    min_face_px: float = Field(
        40.0,
        ge=12,
        description="Shorter side of the smallest face that is looked for, in pixels of the photograph as it is "
        "reduced for detection.",
    )
    detect_side_px: int = Field(
        960,
        ge=320,
        le=16_384,
        description="Photographs are reduced for detection by a whole factor, as long as their longer side keeps so "
        "many pixels; more finds smaller faces in large photographs, and takes more time.",
    )

    @property
    def inference_in(self) -> Literal["processes", "threads"]:
        """`inference`, decided: threads share a GPU, and Windows hands no pipes on to other processes."""
        if self.inference == "auto":
            return "processes" if self.device == "cpu" and os.name == "posix" else "threads"
        return self.inference
