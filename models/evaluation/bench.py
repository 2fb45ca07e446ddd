"""A model file and what it is measured on, with crops and embeddings that are made once."""

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from app.domain import FaceChoice
from app.faces.card import ModelCard
from app.faces.embed import FaceEmbedder
from models.data import Crops
from models.evaluation import image_quality
from models.manifest import Photo, write
from models.photographs import Acquired, acquire, embed_crops, geometry_name, recipe
from models.whole import written_whole

# Options that change no figure.
_BESIDE_THE_POINT = {"model", "work", "out", "sections", "processes", "threads"}


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """The model, what it is measured on, and where intermediate results are kept."""

    embedder: FaceEmbedder
    options: argparse.Namespace

    @property
    def own(self) -> Path:
        """What depends on the network and its thresholds, whatever else its card says."""
        return Path(self.options.work) / network_sha256(Path(self.options.model), self.embedder.card)[:12]

    @property
    def shared(self) -> Path:
        """What depends on the crop alone."""
        return Path(self.options.work) / f"crops-{geometry_name(self.embedder.card.input.spec)}"

    def section(self, name: str) -> Path:
        """Where a section is kept: another one where something else is asked for."""
        asked = {key: value for key, value in vars(self.options).items() if key not in _BESIDE_THE_POINT}
        return self.own / f"{name}-{_digest(*sorted(asked.items()))}.json"

    def crops(self, name: str, photos: list[Photo], change: image_quality.Change | None = None) -> Acquired:
        """Crops of the central face of each photograph, made once; or those that were given."""
        given = getattr(self.options, f"{name.replace('-', '_')}_crops", None)
        if given is not None:
            return acquire(given, recipe(given, self.embedder.card.input.spec))
        key = f"{name}-{_digest(*photos)}"
        made = recipe(self.shared / key, self.embedder.card.input.spec, FaceChoice.CENTRAL, change)
        listed = self.shared / f"{key}.tsv"
        listed.parent.mkdir(parents=True, exist_ok=True)
        write(photos, listed)
        return acquire(listed, made, processes=self.options.processes)

    def embeddings(self, name: str, crops: Crops, chosen: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Embeddings of crops, or of those chosen, made once."""
        files = crops.files if chosen is None else [crops.files[number] for number in chosen]
        kept = self.own / f"{name}-{_digest(*files)}.npy"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(kept) as unfinished:
                np.save(unfinished, embed_crops(crops, self.embedder.embed, self.embedder.card.input.spec, chosen))
        found: NDArray[np.float32] = np.load(kept)
        return found


def _digest(*items: object) -> str:
    """Twelve letters that differ where the items do."""
    whole = hashlib.sha256()
    for item in items:
        whole.update(repr(item).encode() + b"\n")
    return whole.hexdigest()[:12]


def network_sha256(path: Path, card: ModelCard) -> str:
    """Of the graph with its weights, the input and the calibration: a card with more results in it is the same."""
    digest = hashlib.sha256(onnx.load(path).graph.SerializeToString(deterministic=True))
    digest.update(card.model_dump_json(include={"input", "calibration"}).encode())
    return digest.hexdigest()
