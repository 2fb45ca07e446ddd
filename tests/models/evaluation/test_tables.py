"""The tables of several trained networks, on made-up people and one photographed face."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from models.evaluation import tables
from models.evaluation.plan import EMBEDDING_SIZE, MULTIPLY_ADDS, PLAN, TRAINING_SET, PlannedRun, words
from models.options import parse
from tests.models.conftest import FACES, PEOPLE, write_crops

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*"),
    pytest.mark.filterwarnings("ignore:.*legacy TorchScript-based ONNX export:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]

TINY = {"network": "deepid2", "side": 32, "steps": 2, "batch_size": 8, "learning_rate": 0.01}
RUNS = [
    PlannedRun(name="all", tables=(TRAINING_SET, MULTIPLY_ADDS), **TINY),  # type: ignore[arg-type]
    PlannedRun(name="half", tables=(TRAINING_SET,), people_share=0.5, **TINY),  # type: ignore[arg-type]
    PlannedRun(name="head", tables=(EMBEDDING_SIZE,), embedding_size=16, head_only=True, **TINY),  # type: ignore[arg-type]
]


@pytest.fixture(scope="module")
def lfw_folder(tmp_path_factory: pytest.TempPathFactory, portrait: bytes) -> Path:
    """Four people, two photographs each, of one face in other light; both pair lists name them over and over."""
    folder = tmp_path_factory.mktemp("lfw")
    face = Image.open(io.BytesIO(portrait))
    for number in range(8):
        person = f"P{number // 2}"
        path = folder / "images" / person / f"{person}_{number % 2 + 1:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        ImageEnhance.Brightness(face).enhance(0.6 + 0.1 * number).save(path)
    same = [f"P{i % 4}\t1\t2" for i in range(1000)]
    different = [f"P{i % 4}\t1\tP{(i + 1 + i // 4 % 3) % 4}\t2" for i in range(1000)]
    for name, header in (("pairs.txt", "1\t1000"), ("pairsDevTest.txt", "1000")):
        (folder / name).write_text("\n".join([header, *same, *different]) + "\n")
    return folder


@pytest.fixture
def command(tmp_path: Path, lfw_folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    crops = write_crops(tmp_path / "crops", side=112)
    teacher = np.random.default_rng(1).normal(size=(PEOPLE * FACES, 128)).astype(np.float32)
    np.save(crops / "teacher.npy", teacher / np.linalg.norm(teacher, axis=1, keepdims=True))
    monkeypatch.setattr(tables, "PLAN", RUNS)
    return ["tables", str(crops), "--teacher", str(crops / "teacher.npy"), "--lfw", str(lfw_folder),
            "--start-from", str(tmp_path / "work" / "all" / "last.pt"), "--work", str(tmp_path / "work"),
            "--out", str(tmp_path / "out"), "--threads", "1", "--processes", "1"]  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, command: list[str], *more: str) -> dict[str, list[dict[str, object]]]:
    monkeypatch.setattr("sys.argv", [*command, *more])
    tables.main()
    found = json.loads((Path(command[command.index("--out") + 1]) / "report.json").read_text())
    section: dict[str, list[dict[str, object]]] = found["training_tables"]
    return section


def test_every_run_of_the_plan_becomes_a_row_of_its_tables_and_is_made_once(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(monkeypatch, command)
    assert {name: [row["name"] for row in rows] for name, rows in found.items()} == {
        TRAINING_SET: ["all", "half"], MULTIPLY_ADDS: ["all"], EMBEDDING_SIZE: ["head"],
    }  # fmt: skip
    everybody, half = found[TRAINING_SET]
    assert (everybody["training_people"], half["training_people"]) == (PEOPLE, PEOPLE // 2)
    assert (everybody["training_photographs"], half["training_photographs"]) == (48, 24)
    assert everybody["faces"] == 16
    (head,) = found[EMBEDDING_SIZE]
    assert (head["embedding_size"], everybody["embedding_size"]) == (16, 128)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| deepid2, 32 px | 8 | 48 | 0.3 times |" in text
    assert "Each: 2 steps of 8 faces, rate 0.01." in text
    with Image.open(tmp_path / "out" / "training-tables.png") as picture:
        assert picture.width > 600

    monkeypatch.setattr(tables, "train", lambda _: pytest.fail("trained again"))
    assert run(monkeypatch, command) == found
    assert run(monkeypatch, command, "--finished") == found


def test_a_run_that_was_interrupted_goes_on_and_one_whose_plan_changed_begins_anew(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = []
    train = tables.train
    monkeypatch.setattr(tables, "train", lambda options: (resumed.append(options.resume), train(options)))
    run(monkeypatch, command, "--only", "all")
    assert resumed == [False]

    (tmp_path / "work" / "all" / "row.json").unlink()
    state = tables.torch.load(tmp_path / "work" / "all" / "last.pt", weights_only=True)
    tables.torch.save(state | {"step": 1}, tmp_path / "work" / "all" / "last.pt")
    run(monkeypatch, command, "--only", "all")
    assert resumed == [False, True]

    plan = tmp_path / "work" / "all" / "plan.json"
    plan.write_text(plan.read_text().replace('"0.01"', '"0.02"'))
    run(monkeypatch, command, "--only", "all")
    assert resumed == [False, True, False]


def test_a_run_that_never_came_to_a_checkpoint_begins_anew(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work" / "all"
    run(monkeypatch, command, "--only", "all")
    for name in ("row.json", "last.pt"):
        (folder / name).unlink()
    (folder / "log.jsonl").write_text('{"step": 1, "seconds": 9.0, "distillation": 9.0}\n')
    run(monkeypatch, command, "--only", "all")
    assert (folder / "last.pt").exists()
    assert not (folder / "log.jsonl").exists()  # a report comes every 20 steps, and the run has two


def test_the_plan_can_be_trained_and_has_the_papers_rows() -> None:
    assert len({one.name for one in PLAN}) == len(PLAN)
    sizes = [one.embedding_size for one in PLAN if EMBEDDING_SIZE in one.tables]
    assert sizes == [64, 128, 256, 512]
    for one in PLAN:
        options = parse("", words(one, Path("crops"), Path("teacher.npy"), Path("last.pt"), Path("out")))
        assert (options.network, options.side, options.steps) == (one.network, one.side, one.steps)
        assert one.head_only == (options.start_from is not None)
