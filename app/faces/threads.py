"""Photographs read on threads of this process, and one batch of faces for all requests: what a GPU wants.

On a processor the threads wait for Python's one lock more than they compute; see app.faces.processes.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from app.batcher import MicroBatcher
from app.domain import Embedding
from app.faces.card import ModelCard
from app.faces.decode import Pixels
from app.faces.embed import FaceEmbedder
from app.faces.inference import NetworkOptions, Reading, Task
from app.faces.reader import Found, PhotographReader, timed


class ThreadInference:
    """See app.faces.inference.Inference."""

    def __init__(
        self, reader: PhotographReader, embedder: FaceEmbedder, *, workers: int, max_batch: int, max_queue: int
    ) -> None:
        """`workers`: threads that read photographs; `max_queue`: most faces that wait to be embedded."""
        self.card: ModelCard = embedder.card
        self._reader, self._embedder = reader, embedder
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="faces")
        self._batcher: MicroBatcher[Pixels, Embedding] = MicroBatcher(
            self._embed_batch, name="embed", max_batch=max_batch, max_queue=max_queue
        )

    @classmethod
    def open(cls, options: NetworkOptions, *, workers: int, max_batch: int, max_queue: int) -> "ThreadInference":
        """Load the networks and start the threads; raises ConfigurationError."""
        reader, embedder = options.open()
        return cls(reader, embedder, workers=workers, max_batch=max_batch, max_queue=max_queue)

    @property
    def provider(self) -> str:
        return self._embedder.provider

    @property
    def batch_sizes(self) -> list[int]:
        return self._batcher.batch_sizes

    @property
    def healthy(self) -> bool:
        return self._batcher.healthy

    @property
    def depth(self) -> int:
        return self._batcher.depth

    @property
    def deaths(self) -> int:
        return 0

    async def read(self, data: bytes, task: Task) -> Reading:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._workers, self._find, data, task)
        embeddings: list[Embedding] = []
        if task.embed:
            with timed(found.took_ms, "embed"):
                embeddings = await asyncio.gather(*(self._batcher.ask(crop) for crop in found.crops))
        return found.reading(embeddings)

    async def probe(self) -> None:
        side = self.card.input.crop_px
        await self._batcher.ask(np.full((side, side, 3), 128, np.uint8))

    def close(self) -> None:
        self._workers.shutdown(wait=True)
        self._batcher.close()

    def _find(self, data: bytes, task: Task) -> Found:
        return self._reader.find(data, task.selection, keep_crops=task.keep_crops)

    def _embed_batch(self, crops: list[Pixels]) -> Embedding:
        return self._embedder.embed(np.stack(crops))
