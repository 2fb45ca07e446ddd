"""What each change does to a picture, and to how many of them."""

from dataclasses import replace

import pytest
import torch

from models.augment import (
    NONE,
    Augmentation,
    augment,
    blurred,
    compressed,
    gathered,
    lit,
    low_resolution,
    occluded,
    planes,
    rotated,
    windows,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 40, side: int = 40) -> torch.Tensor:
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=seeded(1))


SHARES = ("mirror", "rotation", "occlusion", "light", "blur", "low_resolution", "grey", "jpeg")
CHANGES = dict.fromkeys(SHARES, 1.0) | {"shift_px": 4}


def test_without_any_change_a_picture_is_the_middle_of_its_crop() -> None:
    crops = noise()
    found = augment(crops, 30, seeded(), NONE)
    assert torch.equal(found, planes(crops[:, 5:35, 5:35]))
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_happens_when_asked_for_stays_in_range_and_repeats_with_its_seed(name: str) -> None:
    crops, options = noise(), replace(NONE, **{name: CHANGES[name]})
    found = augment(crops, 30, seeded(3), options)
    assert found.shape == (40, 3, 30, 30)
    assert found.abs().max() <= 1
    assert not torch.equal(found, augment(crops, 30, seeded(3), NONE))
    assert torch.equal(found, augment(crops, 30, seeded(3), options))
    assert not torch.equal(found, augment(crops, 30, seeded(4), options)) or name in {"mirror", "grey"}


def test_a_share_of_the_pictures_changes_and_the_others_are_left_alone() -> None:
    crops = noise(400, 16)
    changed = (augment(crops, 16, seeded(), replace(NONE, blur=0.25)) != planes(crops)).flatten(1).any(1)
    assert 60 <= changed.sum() <= 140


def test_all_changes_together_keep_shape_and_range() -> None:
    found = augment(noise(), 32, seeded(), Augmentation(rotation=0.5, jpeg=0.5, blur=0.5))
    assert found.shape == (40, 3, 32, 32)
    assert found.abs().max() <= 1


def test_windows_lie_within_the_shift_and_a_crop_too_small_is_refused() -> None:
    ramp = torch.arange(20, dtype=torch.uint8).view(1, 20, 1, 1).expand(200, 20, 20, 3)
    starts = windows(ramp, 12, 2, seeded())[:, 0, 0, 0]
    assert set(starts.tolist()) == {2, 3, 4, 5, 6}
    with pytest.raises(ValueError, match="crops are 20 px, a side of 21 needs larger ones: prepare them with --crop"):
        windows(ramp, 21, 2, seeded())


def test_windows_gathered_in_one_call_are_those_cut_one_by_one() -> None:
    crops, corner = noise(7, 30), torch.randint(0, 11, (7, 2), generator=seeded())
    expected = [crop[y : y + 20, x : x + 20] for crop, (y, x) in zip(crops, corner.tolist(), strict=True)]
    assert torch.equal(gathered(crops, corner, 20), torch.stack(expected))


def test_a_rotation_by_nothing_is_the_middle_of_the_crop() -> None:
    crops = noise()
    found = rotated(planes(crops), 30, degrees=0, zoom=0, generator=seeded())
    torch.testing.assert_close(found, planes(crops[:, 5:35, 5:35]), atol=1e-4, rtol=0)


def test_rotations_leave_a_disc_about_the_middle_where_it_is_and_turn_the_rest() -> None:
    place = torch.linspace(-1, 1, 41)
    disc = ((place**2 + place.view(-1, 1) ** 2) < 0.3).float().expand(20, 3, 41, 41)
    assert (rotated(disc, 41, degrees=90, zoom=0, generator=seeded()) - disc).abs().mean() < 0.02
    halves = (place > 0).float().expand(20, 3, 41, 41)
    assert (rotated(halves, 41, degrees=90, zoom=0, generator=seeded()) - halves).abs().mean() > 0.1


def test_blur_keeps_flat_pictures_and_the_mean_and_takes_detail() -> None:
    flat = torch.full((5, 3, 20, 20), 0.3)
    torch.testing.assert_close(blurred(flat, seeded()), flat)
    sharp = planes(noise(20, 40))
    soft = blurred(sharp, seeded())
    assert (soft.std((1, 2, 3)) < 0.9 * sharp.std((1, 2, 3))).all()
    torch.testing.assert_close(soft.mean((1, 2, 3)), sharp.mean((1, 2, 3)), atol=0.05, rtol=0)


def test_low_resolution_takes_detail_and_keeps_the_mean() -> None:
    sharp = planes(noise(20, 40))
    soft = low_resolution(sharp, seeded())
    assert (soft.std((1, 2, 3)) < 0.8 * sharp.std((1, 2, 3))).all()
    torch.testing.assert_close(soft.mean((1, 2, 3)), sharp.mean((1, 2, 3)), atol=0.05, rtol=0)


def test_occlusion_covers_between_a_sixteenth_and_a_quarter() -> None:
    covered = (occluded(torch.ones(50, 3, 64, 64), seeded()) == 0).float().mean((1, 2, 3))
    assert covered.min() > 0.05
    assert covered.max() < 0.27


def test_light_differs_from_picture_to_picture_and_from_side_to_side() -> None:
    found = lit(torch.zeros(50, 3, 16, 16), seeded())
    assert found.mean((1, 2, 3)).std() > 0.05
    assert (found[:, 0, :, 0] - found[:, 0, :, -1]).abs().max() > 0.1


def test_jpeg_keeps_a_smooth_picture_nearly_and_loses_noise() -> None:
    smooth = torch.linspace(-0.8, 0.8, 32).expand(6, 3, 32, 32)
    assert (compressed(smooth, seeded()) - smooth).abs().max() < 0.2
    sharp = planes(noise(6, 32))
    assert (compressed(sharp, seeded()) - sharp).abs().mean() > 0.1
