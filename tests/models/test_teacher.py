"""What a teacher sees of prepared crops, and what it says of them."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.faces.crop import CropSpec
from models import teacher
from models.targets import centred
from models.teacher import Teacher, face_px, teacher_view
from tests.models.conftest import write_crops

# A network that averages each colour over quarters of the picture: 112 px in, 4 numbers out.
PARAM = """7767517
3 3
Input        data 0 1 data
Convolution  conv 1 1 data conv 0=1 1=56 3=56 4=0 5=0 6=9408
InnerProduct fc   1 1 conv fc 0=4 1=0 2=16
"""
TAG = np.zeros(1, "<f4")


@pytest.mark.parametrize("crop_px", [96, 112, 160, 224])
def test_a_teacher_sees_the_same_part_of_the_face_whatever_the_crops_were_prepared_for(
    tmp_path: Path, crop_px: int
) -> None:
    spec = CropSpec().scaled(crop_px).widened(8)
    (tmp_path / "crop.json").write_text(json.dumps(asdict(spec)))
    assert face_px(tmp_path) == crop_px
    ramp = np.zeros((spec.crop_px, spec.crop_px, 3), np.uint8)
    ramp[..., 0] = np.clip((np.arange(spec.crop_px) - 8) / crop_px * 255, 0, 255)
    view = teacher_view(torch.from_numpy(ramp[None]), crop_px)
    assert view.shape == (1, 3, 112, 112)
    np.testing.assert_allclose(view[0, 0, 50], np.arange(112) / 112 * 255, atol=4)


def test_folders_without_a_recorded_geometry_hold_crops_of_112_px(tmp_path: Path) -> None:
    assert face_px(tmp_path) == 112


def network(folder: Path, name: str, seed: int) -> Path:
    """Its files; what it answers depends on the seed."""
    (folder / f"{name}.param").write_text(PARAM)
    quarters = np.full(9408, 1 / 9408, "<f4")
    mixing = np.random.default_rng(seed).normal(size=16).astype("<f4")
    np.concatenate([TAG, quarters, TAG, mixing]).tofile(folder / f"{name}.bin")
    return folder / f"{name}.param"


def answer(crops: np.ndarray, seed: int) -> np.ndarray:
    """By hand: means over the quarters of the middle 112 px, mixed, as unit vectors."""
    margin = (crops.shape[1] - 112) // 2
    inner = crops[:, margin : margin + 112, margin : margin + 112].astype(np.float64)
    means = inner.reshape(-1, 2, 56, 2, 56, 3).mean((2, 4, 5)).reshape(-1, 4)
    mixed = means @ np.random.default_rng(seed).normal(size=16).astype(np.float32).reshape(4, 4).T
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def test_the_distance_of_two_teachers_together_is_the_mean_of_theirs(tmp_path: Path) -> None:
    crops = np.random.default_rng(3).integers(0, 256, (6, 120, 120, 3), np.uint8)
    crops[:, :60] //= np.arange(1, 7, dtype=np.uint8)[:, None, None, None]
    found = Teacher([network(tmp_path, "one", 1), network(tmp_path, "two", 2)])(torch.from_numpy(crops)).numpy()
    cosines = (answer(crops, 1) @ answer(crops, 1).T + answer(crops, 2) @ answer(crops, 2).T) / 2
    np.testing.assert_allclose(found @ found.T, cosines, atol=1e-4)


def run(monkeypatch: pytest.MonkeyPatch, crops: Path, out: Path, network: Path, *more: str) -> np.ndarray:
    monkeypatch.setattr(sys, "argv", ["teacher", str(crops), "--network", str(network), "--out", str(out), *more])
    teacher.main()
    return np.load(out)


class Interrupted(Exception):
    """Stands for a killed process."""


def interrupted(monkeypatch: pytest.MonkeyPatch, crops: Path, out: Path, network: Path) -> Path:
    """A run that dies in its second part; returns the folder of what is finished, whose numbers are all 0.5 then."""
    embed_part, finished = teacher.embed_part, out.with_suffix(".parts")

    def once(*arguments: Any) -> Any:
        if (finished / "part-00000.npy").exists():
            raise Interrupted
        return embed_part(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(teacher, "embed_part", once)
        with pytest.raises(Interrupted):
            run(patch, crops, out, network)
    np.save(finished / "part-00000.npy", np.full_like(np.load(finished / "part-00000.npy"), 0.5))
    return finished


def test_embeddings_of_a_folder_are_those_of_each_crop_and_its_mirror_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_crops(tmp_path / "crops", side=120)
    crops = np.concatenate([np.load(path) for path in sorted(folder.glob("part-*.npy"))])
    found = run(monkeypatch, folder, tmp_path / "teacher.npy", network(tmp_path, "one", 1))
    both = answer(crops, 1) + answer(crops[:, :, ::-1], 1)
    np.testing.assert_allclose(found, both / np.linalg.norm(both, axis=1, keepdims=True), atol=1e-4)
    assert not (tmp_path / "teacher.parts").exists()


def test_an_interrupted_run_goes_on_with_the_part_that_it_was_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, one = write_crops(tmp_path / "crops", side=120), network(tmp_path, "one", 1)
    whole = run(monkeypatch, folder, tmp_path / "whole.npy", one)
    finished = interrupted(monkeypatch, folder, tmp_path / "broken.npy", one)
    first = len(np.load(folder / "part-00000.npy"))
    found = run(monkeypatch, folder, tmp_path / "broken.npy", one)
    assert (found[:first] == 0.5).all()
    np.testing.assert_array_equal(found[first:], whole[first:])
    assert not finished.exists()


def test_an_interrupted_run_does_not_go_on_with_another_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with one of another name, nor with one that took the place of the first."""
    folder, out = write_crops(tmp_path / "crops", side=120), tmp_path / "teacher.npy"
    interrupted(monkeypatch, folder, out, network(tmp_path, "one", 1))
    for other in (network(tmp_path, "two", 2), network(tmp_path, "one", 2)):
        with pytest.raises(SystemExit, match=r"teacher\.parts holds embeddings .* not known to be of these networks;"):
            run(monkeypatch, folder, out, other)
    assert not out.exists()


def test_an_interrupted_run_does_not_go_on_with_other_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, one, out = write_crops(tmp_path / "crops", side=120), network(tmp_path, "one", 1), tmp_path / "teacher.npy"
    interrupted(monkeypatch, folder, out, one)
    with pytest.raises(SystemExit, match="not known to be of these crops; delete it to begin anew"):
        run(monkeypatch, write_crops(tmp_path / "others", seed=1, side=120), out, one)


def test_finished_parts_that_do_not_say_what_they_are_made_of_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, one, out = write_crops(tmp_path / "crops", side=120), network(tmp_path, "one", 1), tmp_path / "teacher.npy"
    (interrupted(monkeypatch, folder, out, one) / "origin.json").unlink()
    with pytest.raises(SystemExit, match="not known to be of these networks and these crops"):
        run(monkeypatch, folder, out, one)


def test_a_folder_without_crops_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"nowhere holds no crops; make them with models\.prepare"):
        run(monkeypatch, tmp_path / "nowhere", tmp_path / "teacher.npy", network(tmp_path, "one", 1))


def test_embeddings_may_be_written_without_their_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, one = write_crops(tmp_path / "crops", side=120), network(tmp_path, "one", 1)
    plain = run(monkeypatch, folder, tmp_path / "plain.npy", one)
    found = run(monkeypatch, folder, tmp_path / "centred.npy", one, "--centred")
    np.testing.assert_allclose(found, centred(plain), atol=1e-6)
    assert np.abs(found - plain).max() > 0.01
