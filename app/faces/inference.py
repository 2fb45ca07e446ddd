"""Where photographs are read: on threads of this process, or in processes of their own. Both answer alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.domain import Embedding, FaceCrop, MeasuredFace
from app.faces.card import ModelCard
from app.faces.choose import Selection
from app.faces.decode import ImageLimits
from app.faces.quality import QualityRequirements

if TYPE_CHECKING:
    from app.faces.embed import FaceEmbedder
    from app.faces.reader import PhotographReader


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be made of a photograph."""

    selection: Selection
    embed: bool = True
    keep_crops: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What was made of it; `embeddings` has a row for each of `faces`, or is empty where none was asked for."""

    faces: Sequence[MeasuredFace]
    embeddings: Sequence[Embedding]
    kept: Sequence[FaceCrop | None]
    faces_found: int
    width_px: int
    height_px: int
    took_ms: dict[str, float]


# A photograph and what to make of it; without a task, only the embedder is tried, on a grey square.
Work = tuple[bytes, Task | None]
Outcome = Reading | Exception


@dataclass(frozen=True, slots=True)
class Opened:
    """What a process says of the networks that it has loaded."""

    card: ModelCard
    provider: str


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """The networks and how photographs go through them; can be sent to another process."""

    weights: Path
    model: str
    device: str = "cpu"
    detector_threads: int = 1
    embedder_threads: int = 1
    limits: ImageLimits = field(default_factory=ImageLimits)
    required: QualityRequirements = field(default_factory=QualityRequirements)
    min_face_px: float = 40.0
    detect_side_px: int = 960

    def open(self) -> "tuple[PhotographReader, FaceEmbedder]":
        """Load the networks; raises ConfigurationError."""
        # Here, so that a process that leaves this to others never loads ONNX Runtime.
        from app.faces.detect import DetectorOptions, FaceDetector
        from app.faces.embed import FaceEmbedder
        from app.faces.reader import PhotographReader
        from app.faces.runtime import Device

        device = Device(self.device)
        embedder = FaceEmbedder(self.weights / self.model, device=device, threads=self.embedder_threads)
        detector = FaceDetector(
            self.weights, DetectorOptions(min_face_px=self.min_face_px), device=device, threads=self.detector_threads
        )
        reader = PhotographReader(
            detector,
            embedder.card.input.spec,
            limits=self.limits,
            required=self.required,
            detect_side_px=self.detect_side_px,
        )
        return reader, embedder


class Inference(Protocol):
    """Reads photographs for all requests. Safe to use from any thread or event loop."""

    card: ModelCard

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what runs the embedding network."""

    @property
    def batch_sizes(self) -> list[int]:
        """How many batches of faces have been embedded of each size, from 0."""

    @property
    def healthy(self) -> bool:
        """Whether the last work succeeded, a photograph at fault aside."""

    @property
    def depth(self) -> int:
        """What waits to be worked on."""

    @property
    def deaths(self) -> int:
        """How many processes have ended that should not have; 0 where there are none."""

    async def read(self, data: bytes, task: Task) -> Reading:
        """Raises NoFace, SeveralFaces, every error of `decode`, Overloaded, and NotReady once closed."""

    async def probe(self) -> None:
        """Embed a grey square; raises what that raises."""

    def close(self) -> None:
        """Finish accepted work, then stop every thread and process."""
