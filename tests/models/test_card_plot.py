"""Pictures and a table of what a model's thresholds cost."""

from pathlib import Path

import pytest
from PIL import Image

from models import card_plot

REPOSITORY = Path(__file__).parent.parent.parent
MODEL = REPOSITORY / "models" / "weights" / "facenet-nn2-128.onnx"


def test_pictures_are_drawn_and_the_table_is_written_between_its_markers(tmp_path: Path) -> None:
    card = card_plot.load_card(MODEL)
    card_plot.thresholds(card, tmp_path / "thresholds.png")
    card_plot.gallery_size(card, tmp_path / "size.png")
    for name in ("thresholds.png", "size.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 1000
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table of the card -->\nstale text\n<!-- end of the table -->\nafter\n", "utf-8")
    for _ in range(2):
        card_plot.write_table(card, page)
    text = page.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| 1e-")]
    assert len(rows) == len(card.calibration.operating_points)
    assert f" | {card.calibration.operating_points[0].threshold:.3f} | " in rows[0]
    assert (text.startswith("before\n"), text.endswith("after\n"), "stale" in text) == (True, True, False)


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no table here", "utf-8")
    with pytest.raises(ValueError, match="table of the card"):
        card_plot.write_table(card_plot.load_card(MODEL), page)
