"""Which runs the paper's tables are re-made from, and how each is trained.

The paper trained for 1,000 to 2,000 hours a network; these runs take a minute or a few each. They are equally short
within a table, so rows of one table may be compared, with each other and with nothing else.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Networks that see so few pictures have no need of more of them: crops are shifted and mirrored, and no more.
_SWITCHED_OFF = ("rotation", "occlusion", "light", "blur", "low-resolution", "grey", "jpeg")

EMBEDDING_SIZE, TRAINING_SET, MULTIPLY_ADDS = "embedding_size", "training_set_size", "multiply_adds"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One network to train, and the tables it is a row of. `steps` are of `batch_size` faces."""

    name: str
    tables: tuple[str, ...]
    network: str
    side: int
    embedding_size: int = 128
    people_share: float = 1.0
    steps: int = 500
    batch_size: int = 64
    learning_rate: float = 0.1
    head_only: bool = False  # a fresh head on the frozen trunk of another network

    @property
    def faces(self) -> int:
        """Faces seen in training, repeated ones counted again."""
        return self.steps * self.batch_size


def _heads() -> list[PlannedRun]:
    """The paper's table 5. The trunk is the same, so the size of the embedding is all that differs."""
    return [
        PlannedRun(
            name=f"head-{size}", tables=(EMBEDDING_SIZE,), network="nn2", side=112, embedding_size=size, steps=100,
            head_only=True,
        )
        for size in (64, 128, 256, 512)
    ]  # fmt: skip


def _shares() -> list[PlannedRun]:
    """The paper's table 6, on the fastest network, so that small sets are seen many times."""
    return [
        PlannedRun(
            name=f"share-1-{part}", tables=(TRAINING_SET,), network="nns2", side=64, people_share=1 / part, steps=1200
        )
        for part in (64, 16, 4, 1)
    ]  # fmt: skip


def _networks() -> list[PlannedRun]:
    """The paper's figure 4: networks and input sides, each shown the same faces."""
    sizes = (("nns2", 64), ("nns2", 96), ("nns1", 64), ("nns1", 96), ("nn2", 64), ("nn2", 96))
    return [
        PlannedRun(name=f"{network}-{side}", tables=(MULTIPLY_ADDS,), network=network, side=side)
        for network, side in sizes
    ]


PLAN = [*_heads(), *_shares(), *_networks()]


def words(run: PlannedRun, crops: Path, teacher: Path, trunk: Path | None, out: Path) -> list[str]:
    """The run as arguments of `models.train`."""
    chosen: dict[str, Any] = {
        "out": out,
        "teacher": teacher,
        "network": run.network,
        "side": run.side,
        "crop-px": 112,
        "embedding-size": run.embedding_size,
        "people-share": run.people_share,
        "steps": run.steps,
        "batch-size": run.batch_size,
        "learning-rate": run.learning_rate,
        "warmup": 0.05,
        **dict.fromkeys(_SWITCHED_OFF, 0),
        "report-steps": 20,
        "checkpoint-minutes": 1,
    }
    said = [word for name, value in chosen.items() for word in (f"--{name}", str(value))]
    if run.head_only:
        said += ["--start-from", str(trunk), "--fresh-head", "--frozen-trunk"]
    return [str(crops), *said]
