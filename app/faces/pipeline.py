"""Bytes to embeddings: what the service asks of photographs, wherever they are read."""

from typing import Literal

from app.domain import Detection, EmbeddedFace, FaceChoice
from app.faces.card import ModelCard
from app.faces.choose import Selection
from app.faces.inference import Inference, NetworkOptions, Task


class FacePipeline:
    """From an uploaded image to the embedding of a face in it, shared by all requests."""

    def __init__(self, inference: Inference) -> None:
        self.card: ModelCard = inference.card
        self.inference = inference

    async def embed(
        self,
        data: bytes,
        choice: FaceChoice = FaceChoice.LARGEST,
        *,
        field: str | None = None,
        keep_crop: bool = False,
        min_confidence: float = 0.0,
    ) -> EmbeddedFace:
        """The chosen face of one photograph, with its crop if that is to be kept.

        Here and below, faces of which the detector is less sure than `min_confidence`, 0 to 1, are passed over.
        Raises NoFace, SeveralFaces and every error of `decode`; Overloaded or NotReady where it cannot be read now.
        """
        selection = Selection(choice, min_confidence=min_confidence, field=field)
        return (await self._embed(data, Task(selection, keep_crops=keep_crop)))[0]

    async def embed_all(self, data: bytes, *, max_faces: int, min_confidence: float = 0.0) -> list[EmbeddedFace]:
        """Up to `max_faces` faces (0: all), largest first; an empty list where there is none."""
        return await self._embed(data, Task(Selection(max_faces=max_faces, min_confidence=min_confidence)))

    async def detect(self, data: bytes, *, max_faces: int, min_confidence: float = 0.0) -> Detection:
        """Up to `max_faces` faces (0: all), largest first, without embeddings; raises every error of `decode`."""
        selection = Selection(max_faces=max_faces, min_confidence=min_confidence)
        read = await self.inference.read(data, Task(selection, embed=False))
        return Detection(list(read.faces), read.faces_found, read.width_px, read.height_px, read.took_ms)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what runs the embedding network."""
        return self.inference.provider

    @property
    def batch_sizes(self) -> list[int]:
        """How many batches have run of each size, from 0."""
        return self.inference.batch_sizes

    @property
    def healthy(self) -> bool:
        """Whether the last work succeeded, a photograph at fault aside."""
        return self.inference.healthy

    @property
    def depth(self) -> int:
        """What waits: faces to be embedded where threads read photographs, photographs where processes do."""
        return self.inference.depth

    async def probe(self) -> None:
        """Embed a grey square; raises what the embedder raises. For readiness after a failure."""
        await self.inference.probe()

    def close(self) -> None:
        """Finish accepted work, then stop every thread and process."""
        self.inference.close()

    async def _embed(self, data: bytes, task: Task) -> list[EmbeddedFace]:
        read = await self.inference.read(data, task)
        rows = zip(read.faces, read.embeddings, read.kept, strict=True)
        return [EmbeddedFace(face, embedding, read.faces_found, read.took_ms, kept) for face, embedding, kept in rows]


def open_pipeline(
    networks: NetworkOptions,
    *,
    inference: Literal["threads", "processes"] = "threads",
    workers: int = 2,
    max_batch: int = 16,
    max_queue: int = 256,
    max_seconds: float = 30.0,
) -> FacePipeline:
    """Load the networks and start so many threads or processes; raises ConfigurationError.

    `max_seconds`: the longest that a process may take for one photograph before it is ended and replaced.
    """
    if inference == "threads":
        from app.faces.threads import ThreadInference

        return FacePipeline(ThreadInference.open(networks, workers=workers, max_batch=max_batch, max_queue=max_queue))
    from app.faces.processes import ProcessInference

    return FacePipeline(
        ProcessInference(networks, workers=workers, max_batch=max_batch, max_queue=max_queue, max_seconds=max_seconds)
    )
