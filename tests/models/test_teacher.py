"""What a teacher sees of prepared crops."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from app.faces.crop import CropSpec
from models.teacher import face_px, teacher_view


@pytest.mark.parametrize("crop_px", [96, 112, 160, 224])
def test_a_teacher_sees_the_same_part_of_the_face_whatever_the_crops_were_prepared_for(
    tmp_path: Path, crop_px: int
) -> None:
    spec = CropSpec().scaled(crop_px).widened(8)
    (tmp_path / "crop.json").write_text(json.dumps(asdict(spec)))
    assert face_px(tmp_path) == crop_px
    ramp = np.zeros((spec.crop_px, spec.crop_px, 3), np.uint8)
    ramp[..., 0] = np.clip((np.arange(spec.crop_px) - 8) / crop_px * 255, 0, 255)
    view = teacher_view(ramp, crop_px)
    assert view.shape == (112, 112, 3)
    np.testing.assert_allclose(view[50, :, 0], np.arange(112) / 112 * 255, atol=4)


def test_folders_without_a_recorded_geometry_hold_crops_of_112_px(tmp_path: Path) -> None:
    assert face_px(tmp_path) == 112
