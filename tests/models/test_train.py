"""A tiny run from crops to a served file."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.faces.embed import FaceEmbedder
from models import export, train
from models.begin import freeze
from models.data import UNLABELLED, Crops
from models.losses import LOSSES, ON_TRIPLETS
from models.mining import NEGATIVES
from models.networks import build
from tests.models.conftest import write_crops

pytestmark = [
    # torch's TorchScript exporter says that it is the old one; the new one cannot name the batch axis as simply.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*"),
    pytest.mark.filterwarnings("ignore:.*legacy TorchScript-based ONNX export:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


SMALL = ["--network", "deepid2", "--side", "32", "--learning-rate", "0.02"]


def run(monkeypatch: pytest.MonkeyPatch, crops: Path, out: Path, *arguments: str) -> list[dict[str, float]]:
    common = ["--side", "64", "--batch-size", "16", "--report-steps", "3", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["train", str(crops), "--out", str(out), *common, *arguments])
    train.main()
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def gone_on(
    monkeypatch: pytest.MonkeyPatch, crops: Path, teacher: Path, folder: Path, *more: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The checkpoints of a short run, and of one that starts from it with more said."""
    common = ["--network", "nn2", "--teacher", str(teacher), "--steps", "3"]
    first, second = folder / "first", folder / "second"
    run(monkeypatch, crops, first, *common)
    run(monkeypatch, crops, second, *common, "--start-from", str(first / "last.pt"), *more)
    before, after = (torch.load(out / "last.pt", weights_only=True) for out in (first, second))
    return before, after


@pytest.fixture(scope="module")
def teacher(crops_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One direction for each person."""
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 8)))[0].T
    path = tmp_path_factory.mktemp("teacher") / "teacher.npy"
    np.save(path, directions[Crops(crops_folder).people].astype(np.float32))
    return path


@pytest.fixture
def live_teacher(tmp_path: Path) -> Path:
    """A network of four numbers: colours averaged over the picture, mixed, less what all pictures share."""
    (tmp_path / "live.param").write_text(
        "7767517\n3 3\nInput data 0 1 data\n"
        "Convolution conv 1 1 data conv 0=3 1=112 5=0 6=112896\nInnerProduct fc 1 1 conv fc 0=4 1=1 2=12\n"
    )
    tag, mixing = np.zeros(1), np.random.default_rng(0).normal(size=(4, 3))
    averages = np.repeat(np.eye(3), 112 * 112, axis=1) / 112**2
    parts = [tag, averages, tag, mixing, -127.5 * mixing.sum(1)]
    np.concatenate([part.ravel() for part in parts]).astype("<f4").tofile(tmp_path / "live.bin")
    return tmp_path / "live.param"


def test_distillation_brings_a_student_nearer_to_its_teacher(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    log = run(monkeypatch, crops_folder, tmp_path, "--teacher", str(teacher), "--passes", "5", "--growing", "0.4")
    assert log[-1]["step"] == 15
    assert log[-1]["distillation"] < log[0]["distillation"] - 0.2


def test_similarities_are_learnt_beside_the_embeddings_and_resumed_bit_for_bit(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    arguments = [*SMALL, "--teacher", str(teacher), "--similarity-weight", "2", "--similarity-faces", "20"]
    arguments += ["--similarity-temperature", "0.3", "--passes", "8"]
    log = run(monkeypatch, crops_folder, tmp_path / "whole", *arguments)
    assert set(log[0]) == {"step", "seconds", "distillation", "similarity"}
    assert log[-1]["similarity"] < 0.9 * log[0]["similarity"]
    interrupted(monkeypatch, 4, crops_folder, tmp_path / "broken", *arguments)
    run(monkeypatch, crops_folder, tmp_path / "broken", *arguments, "--resume")
    whole, resumed = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "broken"))
    assert_same(resumed["network"], whole["network"])


def test_triplets_alone_train_without_a_teacher(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path
) -> None:
    options = ["--faces-per-person", "4", "--optimiser", "adagrad", "--learning-rate", "0.01", "--passes", "2"]
    log = run(monkeypatch, crops_folder, tmp_path, *options)
    assert all(np.isfinite(row["triplet"]) for row in log)
    assert (tmp_path / "last.pt").exists()


@pytest.mark.parametrize("size", [16, 200])
def test_a_teacher_of_another_embedding_size_is_imitated_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path, size: int
) -> None:
    options = [*SMALL, "--teacher", str(teacher), "--embedding-size", str(size), "--passes", "12", "--light", "0"]
    log = run(monkeypatch, crops_folder, tmp_path, *options)
    assert log[-1]["distillation"] < 0.9 * log[0]["distillation"]


def test_a_fresh_head_learns_on_a_trunk_that_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    more = ["--fresh-head", "--frozen-trunk", "--people-share", "0.5"]
    trunk, found = gone_on(monkeypatch, crops_folder, teacher, tmp_path, *more)
    for name, weight in found["network"].items():
        is_head = name.startswith(("embedding.linear", "embedding.norm"))
        assert torch.equal(weight, trunk["network"][name]) != is_head, name
    assert (trunk["data"], found["data"]) == ({"photographs": 48, "people": 8}, {"photographs": 24, "people": 4})


@pytest.mark.parametrize("parts", ["stem", "stem,modules_3_to_5.0,modules_3_to_5.1"])
def test_a_frozen_part_stays_as_it_is_norms_too(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path, parts: str
) -> None:
    before, after = gone_on(monkeypatch, crops_folder, teacher, tmp_path, "--frozen-parts", parts)
    prefixes = tuple(f"{part}." for part in parts.split(","))
    for name, weight in after["network"].items():
        assert torch.equal(weight, before["network"][name]) == name.startswith(prefixes), name


def test_a_part_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="no part 'trunk' in this network: it has stem, modules_3_to_5, embedding"):
        freeze(build("nn2", 128, 64), ["trunk"])


def test_a_comma_too_many_does_not_freeze_the_whole_network() -> None:
    with pytest.raises(ValueError, match="no part '' in this network"):
        freeze(build("nn2", 128, 64), ["stem", ""])


def test_crops_are_scaled_to_a_smaller_input(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    seen = []
    step = train.train_step

    def look(run_: Any, batch: Any, *rest: Any) -> dict[str, float]:
        seen.append(batch.images.shape[-1])
        return step(run_, batch, *rest)

    monkeypatch.setattr(train, "train_step", look)
    run(monkeypatch, crops_folder, tmp_path, *SMALL, "--teacher", str(teacher), "--crop-px", "64", "--passes", "1")
    assert seen == [32, 32, 32]
    template = torch.load(tmp_path / "last.pt", weights_only=True)["template"]
    np.testing.assert_allclose(template, np.array(Crops(crops_folder).spec(64).template) / 2, atol=1e-6)


def test_made_up_people_are_learnt_from_their_teacher(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, live_teacher: Path
) -> None:
    """Stored embeddings that say nothing: what the student learns it has from the live teacher."""
    crops = write_crops(tmp_path / "crops", side=120)
    np.save(tmp_path / "teacher.npy", np.full((48, 4), 0.5, np.float32))
    options = ["--crop-px", "112", "--embedding-size", "4", "--teacher", str(tmp_path / "teacher.npy")]
    options += ["--live-teacher", str(live_teacher), "--morphs", "1", "--passes", "20"]
    log = run(monkeypatch, crops, tmp_path, *options)
    assert np.mean([row["distillation"] for row in log[-5:]]) < 0.5 * log[0]["distillation"]


def test_training_goes_on_from_a_served_file(monkeypatch: pytest.MonkeyPatch, teacher: Path, tmp_path: Path) -> None:
    crops = write_crops(tmp_path / "crops", side=120)
    common = [
        "--side",
        "112",
        "--teacher",
        str(teacher),
        "--passes",
        "4",
        "--report-steps",
        "1",
        "--learning-rate",
        "0.05",
    ]
    common += ["--occlusion", "0", "--light", "0", "--low-resolution", "0"]
    learnt = run(monkeypatch, crops, tmp_path / "first", *common)
    network, _ = export.load_network(tmp_path / "first" / "last.pt")
    export.export_network(network, 112, tmp_path / "served.onnx")
    begun = ["--start-from", str(tmp_path / "served.onnx"), "--passes", "0.4"]
    log = run(monkeypatch, crops, tmp_path / "second", *common, *begun)
    assert log[0]["distillation"] < 0.6 * learnt[0]["distillation"]


def test_crops_smaller_than_the_input_are_magnified_by_the_file_itself(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    run(monkeypatch, crops_folder, tmp_path, "--teacher", str(teacher), "--crop-px", "48", "--passes", "1")
    network, trained = export.load_network(tmp_path / "last.pt")
    assert (trained["side"], trained["input_px"]) == (64, 48)
    assert tuple(map(tuple, trained["template"])) == Crops(crops_folder).spec(48).template
    export.export_network(network, 48, tmp_path / "tiny.onnx")
    assert export.parity(network, tmp_path / "tiny.onnx", 48) < export.PARITY
    images = torch.rand(3, 3, 48, 48) * 2 - 1
    with torch.inference_mode():
        expected = network.network(torch.nn.functional.interpolate(images, size=(64, 64), mode="bilinear"))
        torch.testing.assert_close(network(images), expected)


class Interrupted(Exception):
    """Stands for a killed process."""


def interrupted(
    monkeypatch: pytest.MonkeyPatch, after_steps: int, crops: Path, out: Path, *arguments: str, minutes: str = "0"
) -> None:
    """A run that dies in the step after `after_steps`, with a checkpoint every so many minutes: of the step before."""
    step, seen = train.train_step, 0

    def count(*of_step: Any) -> dict[str, float]:
        nonlocal seen
        seen += 1
        if seen > after_steps:
            raise Interrupted
        return step(*of_step)

    with monkeypatch.context() as patch:
        patch.setattr(train, "train_step", count)
        with pytest.raises(Interrupted):
            run(monkeypatch, crops, out, *arguments, "--checkpoint-minutes", minutes)


def assert_same(found: object, expected: object) -> None:
    """Two trees of tensors and numbers, bit for bit."""
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        assert found.keys() == expected.keys()
        for name in expected:
            assert_same(found[name], expected[name])
    elif isinstance(expected, list):
        assert isinstance(found, list)
        for left, right in zip(found, expected, strict=True):
            assert_same(left, right)
    elif isinstance(expected, torch.Tensor):
        assert isinstance(found, torch.Tensor)
        assert torch.equal(found, expected)
    else:
        assert found == expected


RECIPES = {
    "triplets by AdaGrad": "--network deepid2 --faces-per-person 4 --optimiser adagrad --learning-rate 0.01 "
    "--passes 2.4",
    "no bf16, AdamW, steps, growing": "--no-bf16 --optimiser adamw --learning-rate 1e-3 --schedule step --passes 2.4 "
    "--faces-per-person 3 --growing 0.5 --network nn4",
    "a loss with weights of its own": "--network deepid2 --side 64 --loss cosface --passes 2.4",
    "mined offline, dropout": "--network deepface --side 72 --passes 2.4 --embedding-size 64 "
    "--mine-steps 3 --mine-crops 24 --faces-per-person 3 --learning-rate 1e-2",
}


@pytest.mark.parametrize(("recipe", "after_steps"), [*((name, 4) for name in RECIPES), ("mined offline, dropout", 3)])
def test_an_interrupted_run_resumed_ends_in_the_very_weights_of_an_uninterrupted_one(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path, recipe: str, after_steps: int
) -> None:
    arguments = RECIPES[recipe].split()
    whole_log = run(monkeypatch, crops_folder, tmp_path / "whole", *arguments)
    interrupted(monkeypatch, after_steps, crops_folder, tmp_path / "broken", *arguments)
    log = run(monkeypatch, crops_folder, tmp_path / "broken", *arguments, "--resume")
    whole, resumed = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "broken"))
    assert whole["step"] == resumed["step"] == 7
    for part in ("network", "loss", "mined", "optimiser", "sums"):
        assert_same(resumed[part], whole[part])
    assert [row | {"seconds": 0} for row in log] == [row | {"seconds": 0} for row in whole_log]


def test_a_run_interrupted_before_its_first_checkpoint_begins_again_and_says_so(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*SMALL, "--loss", "cosface", "--passes", "2.4"]
    whole_log = run(monkeypatch, crops_folder, tmp_path / "whole", *arguments)
    interrupted(monkeypatch, 4, crops_folder, tmp_path / "broken", *arguments, minutes="5")
    assert [path.name for path in (tmp_path / "broken").iterdir()] == ["log.jsonl"]
    log = run(monkeypatch, crops_folder, tmp_path / "broken", *arguments, "--resume")
    assert "broken has no last.pt yet: the run begins at its first step" in capsys.readouterr().out
    whole, again = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "broken"))
    for part in ("network", "loss", "optimiser", "sums"):
        assert_same(again[part], whole[part])
    assert [row | {"seconds": 0} for row in log] == [row | {"seconds": 0} for row in whole_log]


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        (["--optimiser", "adamw"], "--optimiser was sgd, is adamw"),
        (["--learning-rate", "0.5"], r"--learning-rate was 0\.02, is 0\.5"),
        (["--embedding-size", "64"], "--embedding-size was 128, is 64"),
    ],
)
def test_a_run_is_not_resumed_with_other_flags(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path, changed: list[str], fact: str
) -> None:
    run(monkeypatch, crops_folder, tmp_path, *SMALL, "--steps", "3")
    before = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(SystemExit, match=fact):
        run(monkeypatch, crops_folder, tmp_path, *SMALL, "--steps", "4", *changed, "--resume")
    assert (tmp_path / "last.pt").read_bytes() == before


def test_a_run_that_diverges_ends_and_leaves_the_checkpoint_before(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="the run has diverged by step 3"):
        run(monkeypatch, crops_folder, tmp_path, *SMALL, "--steps", "6", "--learning-rate", "1e30")
    assert not (tmp_path / "last.pt").exists()
    seldom = ["--report-steps", "100", "--steps", "6", "--learning-rate", "1e30"]
    with pytest.raises(SystemExit, match="the network has diverged by step 6: its weights are not finite"):
        run(monkeypatch, crops_folder, tmp_path / "quiet", *SMALL, *seldom)
    assert not (tmp_path / "quiet" / "last.pt").exists()


@pytest.mark.parametrize("left", ["last.pt", "log.jsonl"])
def test_a_folder_that_holds_a_run_is_left_alone_without_resume(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path, left: str
) -> None:
    (tmp_path / left).write_text("a run")
    with pytest.raises(SystemExit, match=f"holds {left} of a run; go on with it by --resume, or choose another --out"):
        run(monkeypatch, crops_folder, tmp_path, *SMALL)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["a run"]


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ("--passes 4 --batch-size 640", "4 passes over 48 crops show 192 faces, a batch has 640"),
        ("--passes 40 --batch-size 640", "48 to draw from do not fill a batch of 640"),
        ("--steps 3 --batch-size 640", "48 to draw from do not fill a batch of 640"),
        ("--faces-per-person 2 --batch-size 32", "give 16 faces, 2 each at most; a batch has 32"),
    ],
)
def test_too_few_crops_for_a_batch_are_refused_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path, words: str, fact: str
) -> None:
    with pytest.raises(SystemExit, match=fact):
        run(monkeypatch, crops_folder, tmp_path, *SMALL, *words.split())
    assert not list(tmp_path.iterdir())


def test_files_that_are_not_there_end_a_run_with_their_names(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match=r"nowhere holds no crops; make them with models\.prepare"):
        run(monkeypatch, tmp_path / "nowhere", tmp_path / "run", *SMALL)
    with pytest.raises(SystemExit, match=r"nope\.npy: No such file"):
        run(monkeypatch, crops_folder, tmp_path / "run", *SMALL, "--teacher", str(tmp_path / "nope.npy"))


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_falls_on_a_tiny_network(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path, loss: str
) -> None:
    options = [*SMALL, "--batch-size", "32", "--faces-per-person", "4", "--light", "0", "--scale", "8"]
    log = run(monkeypatch, crops_folder, tmp_path, *options, "--loss", loss, "--passes", "12", "--negatives", "all")
    assert log[-1][loss] < 0.9 * log[0][loss]
    assert ("active_triplets" in log[0]) == (loss in ON_TRIPLETS)


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_every_kind_of_mining_trains_beside_a_teacher(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path, negatives: str
) -> None:
    options = [*SMALL, "--faces-per-person", "4", "--teacher", str(teacher), "--loss-weight", "0.5", "--passes", "2"]
    log = run(monkeypatch, crops_folder, tmp_path, *options, "--positives", "hardest", "--negatives", negatives)
    assert set(log[0]) == {"step", "seconds", "distillation", "triplet", "active_triplets"}


def test_offline_mining_writes_the_checkpoint_that_it_mines_from(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path
) -> None:
    seen = []
    mine_offline = train.mine_offline

    def note(network: torch.nn.Module, *rest: Any) -> Any:
        seen.append(torch.load(tmp_path / "last.pt", weights_only=True))
        assert_same(seen[-1]["network"], network.state_dict())
        return mine_offline(network, *rest)

    monkeypatch.setattr(train, "mine_offline", note)
    run(monkeypatch, crops_folder, tmp_path, *SMALL, "--mine-steps", "4", "--mine-crops", "24", "--passes", "3")
    assert [state["step"] for state in seen] == [0, 4, 8]


def test_crops_without_a_name_take_no_part_in_a_loss_on_people(crops_folder: Path, tmp_path: Path) -> None:
    options = train.Options(crops=crops_folder, out=tmp_path, loss="contrastive")
    loss = train.make_loss(options, 3)
    assert loss is not None
    torch.manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(5, 128), dim=1)
    people = torch.tensor([UNLABELLED, 0, 1, UNLABELLED, 0])
    found, _ = train.loss_on_people(loss, embeddings, people, options)
    assert torch.equal(found, loss(embeddings[[1, 2, 4]], people[[1, 2, 4]], None))
    nobody, _ = train.loss_on_people(loss, embeddings, torch.full((5,), UNLABELLED), options)
    assert nobody.item() == 0


def test_a_longer_schedule_goes_on_from_a_finished_run(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    run(monkeypatch, crops_folder, tmp_path, *SMALL, "--teacher", str(teacher), "--passes", "1")
    log = run(monkeypatch, crops_folder, tmp_path, *SMALL, "--teacher", str(teacher), "--passes", "2", "--resume")
    assert [row["step"] for row in log] == [3, 6]


def test_rows_of_the_log_after_the_checkpoint_are_cut(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    run(monkeypatch, crops_folder, tmp_path, *SMALL, "--teacher", str(teacher), "--passes", "1")
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "seconds": 9.0, "distillation": 9.0}\n')
    rows = run(monkeypatch, crops_folder, tmp_path, *SMALL, "--teacher", str(teacher), "--passes", "2", "--resume")
    assert [row["step"] for row in rows] == [3, 6]


def test_a_checkpoint_of_an_earlier_version_is_resumed(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    run(monkeypatch, crops_folder, tmp_path, *SMALL, "--teacher", str(teacher), "--passes", "1")
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    earlier = {name: state[name] for name in ("network", "optimiser", "step", "options")}
    torch.save(earlier | {"random": torch.get_rng_state()}, tmp_path / "last.pt")
    log = run(monkeypatch, crops_folder, tmp_path, *SMALL, "--teacher", str(teacher), "--passes", "2", "--resume")
    assert [row["step"] for row in log] == [3, 6]


def test_a_schedule_by_the_clock_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    options = [*SMALL, "--teacher", str(teacher), "--passes", "0.1", "--minutes", "0.01", "--report-steps", "1"]
    log = run(monkeypatch, crops_folder, tmp_path, *options)
    assert 1 < log[-1]["step"] < 3000  # and not the passes
    assert log[-1]["seconds"] >= 0.6


def exported(monkeypatch: pytest.MonkeyPatch, folder: Path, held_out: Path, *more: str) -> FaceEmbedder:
    """The file of a run in `folder`, as the service loads it."""
    (folder / "provenance.json").write_text('{"data": "made-up people"}')
    out = folder / "tiny.onnx"
    arguments = ["export", str(folder / "last.pt"), "--id", "tiny", "--out", str(out), "--default-far", "0.1"]
    arguments += ["--calibration-crops", str(held_out), "--calibration-data", "made-up people"]
    arguments += ["--provenance", str(folder / "provenance.json"), *more]
    monkeypatch.setattr(sys, "argv", arguments)
    export.main()
    return FaceEmbedder(out)


def test_a_trained_network_becomes_a_file_that_the_service_loads(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    run(monkeypatch, crops_folder, tmp_path, "--teacher", str(teacher), "--passes", "1")
    held_out = write_crops(tmp_path / "held-out", seed=7, people=30)
    embedder = exported(monkeypatch, tmp_path, held_out)
    card = embedder.card
    assert (card.id, card.embedding_size, card.input.crop_px) == ("tiny", 128, 64)
    assert card.input.spec == Crops(held_out).spec(64)
    assert card.provenance["data"] == "made-up people"
    assert card.calibration.impostor_pairs == 180 * 179 // 2 - 30 * 15
    crops = Crops(held_out)[np.arange(4)][:, 4:68, 4:68]
    network, _ = export.load_network(tmp_path / "last.pt")
    with torch.inference_mode():
        expected = network((torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 127.5)
    np.testing.assert_allclose(embedder.embed(crops), expected.numpy(), atol=1e-4)
