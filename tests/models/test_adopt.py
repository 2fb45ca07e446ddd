"""The command that puts a model card into somebody else's network, and the service that takes the file."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.faces.crop import CropSpec
from app.faces.embed import FaceEmbedder
from models.adopt import main
from models.data import Crops
from models.pairs import PairTable
from tests.models.conftest import FACES, write_crops
from tests.models.test_wrap import SIDE, alone, foreign

PEOPLE = 40


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of people who differ by their colour, as `--margin-px 8` makes them for pictures of 16 px."""
    folder = write_crops(tmp_path_factory.mktemp("people"), side=SIDE, people=PEOPLE)
    spec = CropSpec().widened(8).scaled(SIDE)
    (folder / "crop.json").write_text(json.dumps({"crop_px": SIDE, "template": spec.template}))
    return folder


def adopt(monkeypatch: pytest.MonkeyPatch, theirs: Path, out: Path, people: Path, *more: str) -> None:
    said = [
        "--id",
        "theirs",
        "--people",
        str(people),
        "--data",
        "made-up people",
        "--source",
        "a page",
        "--terms",
        "MIT",
    ]
    words = [str(theirs), "--out", str(out), *said, "--margin-px", "8", "--default-far", "0.1", *more]
    monkeypatch.setattr(sys, "argv", ["adopt", *words])
    main()


def test_an_adopted_network_is_served_as_its_card_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, people: Path
) -> None:
    model, out = foreign(), tmp_path / "weights" / "adopted.onnx"
    onnx.save(model, tmp_path / "theirs.onnx")
    adopt(monkeypatch, tmp_path / "theirs.onnx", out, people, "--colour", "BGR", "--mean", "100", "--std", "50")
    embedder = FaceEmbedder(out)
    crops = Crops(people)
    pixels = crops[np.arange(PEOPLE * FACES)]
    found = embedder.embed(pixels)
    for crop, vector in zip(pixels, found, strict=True):
        face = (crop[..., ::-1].astype(np.float32).transpose(2, 0, 1) - 100) / 50
        np.testing.assert_allclose(vector, alone(model, face), atol=1e-5)
    card = embedder.card
    assert (card.id, card.architecture, card.embedding_size, card.parameters) == ("theirs", "theirs", 5, 8 * 27 + 40)
    assert card.provenance == {"adopted_from": "theirs.onnx", "source": "a page", "terms": "MIT"}
    table = PairTable(found, crops.people)
    assert card.threshold_at_far(0.1) == pytest.approx(table.threshold(0.1), abs=1e-4)


def test_the_mirror_image_counts_as_much_and_the_card_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, people: Path
) -> None:
    onnx.save(foreign(shape=("n", SIDE, SIDE, 3)), tmp_path / "theirs.onnx")
    adopt(monkeypatch, tmp_path / "theirs.onnx", tmp_path / "out.onnx", people, "--mirrored")
    embedder = FaceEmbedder(tmp_path / "out.onnx")
    pixels = Crops(people)[np.arange(5)]
    np.testing.assert_allclose(embedder.embed(pixels), embedder.embed(pixels[:, :, ::-1]), atol=1e-5)
    assert embedder.card.architecture == "theirs, averaged with the mirror image"


def test_what_cannot_be_served_ends_with_the_fact_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, people: Path
) -> None:
    onnx.save(foreign(second=True), tmp_path / "theirs.onnx")
    out = tmp_path / "out.onnx"
    with pytest.raises(SystemExit, match=r"theirs\.onnx: gives map, vector: say which"):
        adopt(monkeypatch, tmp_path / "theirs.onnx", out, people)
    with pytest.raises(SystemExit, match="default false-accept rate 1e-06 is outside what these photographs support"):
        adopt(monkeypatch, tmp_path / "theirs.onnx", out, people, "--output", "vector", "--default-far", "1e-6")
    with pytest.raises(SystemExit, match=r"nope\.onnx: No such file"):
        adopt(monkeypatch, tmp_path / "nope.onnx", out, people)
    assert not out.exists()
