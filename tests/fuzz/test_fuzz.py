"""A part of the corpus against a real service; all of it with `python -m tests.fuzz`."""

from pathlib import Path

from app.api.problems import STATUS
from tests.fuzz.campaign import Campaign
from tests.fuzz.corpus import KINDS, case
from tests.processes import serving

IMAGES = 9 * len(KINDS)
WORKERS = 2


def test_an_image_is_made_again_from_its_seed_and_number() -> None:
    numbers = [0, 1, len(KINDS) + 3, 5 * len(KINDS) + 10]
    assert [case(3, number) for number in numbers] == [case(3, number) for number in reversed(numbers)][::-1]
    assert case(3, 1) != case(4, 1)


def test_broken_hostile_and_odd_images_do_no_harm(tmp_path: Path) -> None:
    settings = {"SAMEFACE_IMAGE_WORKERS": str(WORKERS), "SAMEFACE_LOG_LEVEL": "warning"}
    with serving(tmp_path / "sameface.db", **settings) as server:
        campaign = Campaign(server, seed=2, count=IMAGES, image_workers=WORKERS, in_turn=True)
        assert list(campaign.run())[-1] == IMAGES
        assert "Traceback" not in server.log.read_text()
    summary = campaign.summary()
    assert summary["faults"] == []
    assert summary["requests"] == IMAGES
    assert summary["distinct_images"] > 0.9 * IMAGES
    # What the largest images take at once, and nothing of each that stays; the whole corpus tells finer.
    assert max(summary["resident_mib"]) < 1_024
    answered = {answer.partition(" ")[2] for answer in summary["answers"]} - {""}
    assert {"unreadable_image", "unsupported_format", "image_too_large", "no_face"} <= answered <= STATUS.keys()
    assert sum(summary["images_read_by_kind"].values()) > IMAGES / 10
