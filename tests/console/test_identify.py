"""Who is in a photograph: named boxes, candidates, and strangers enrolled with one click."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from tests.conftest import encoded
from tests.console.conftest import Console, Open, enroll, picture
from tests.processes import Server

UPRIGHT, ON_ITS_SIDE = 1, 6  # Exif orientations


def held(image: Image.Image, orientation: int) -> bytes:
    """An image as a camera stores it that was held so."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = image.transpose(Image.Transpose.ROTATE_90) if orientation == ON_ITS_SIDE else image
    return encoded(stored, quality=95, exif=exif)


def search(console: Console, gallery: str, content: bytes) -> Any:
    """The faces found in a photograph, as rows of the page."""
    page = console.open("identify")
    page.get_by_label("Gallery", exact=True).select_option(gallery)
    console.choose(0, picture(content))
    rows = page.locator(".face-row")
    rows.first.wait_for()
    return rows


def test_a_known_face_is_named_in_its_box(console: Console, server: Server, people: str, portrait: bytes) -> None:
    enroll(server, people, "eileen", portrait, name="Eileen Collins")
    rows = search(console, people, portrait)
    assert "Eileen Collins" in rows.first.inner_text()
    assert rows.first.get_by_text("identified").is_visible()
    assert console.page.locator(".seen .face-label").text_content() == "Eileen Collins"
    candidate = rows.first.get_by_role("list", name="Candidates for face 1").get_by_role("listitem")
    assert "eileen" in candidate.inner_text()
    candidate.get_by_role("img", name="Stored face of Eileen Collins").wait_for()
    assert "A stranger is given a name with a chance of" in console.page.locator(".results").inner_text()
    candidate.get_by_role("link").click()
    console.page.get_by_role("heading", name="Eileen Collins").wait_for()


def test_an_unknown_face_is_enrolled_with_one_click(
    console: Console, server: Server, people: str, two_faces: bytes
) -> None:
    rows = search(console, people, two_faces)
    assert rows.get_by_text("unknown", exact=True).count() == 2
    console.page.get_by_role("button", name="Enrol face 1").click()
    console.page.get_by_text("identified").first.wait_for()
    # Both show the same woman, and one face of hers is enough to name both.
    assert rows.get_by_text("identified").count() == 2
    [subject] = server.http.get("/gallery/subjects", params={"gallery": people}).json()["items"]
    assert (subject["faces"], subject["subject_id"].startswith("person-")) == (1, True)


def test_only_the_chosen_face_is_sent(console: Console, people: str, two_faces: bytes) -> None:
    search(console, people, two_faces)
    with console.page.expect_response("**/gallery/enroll") as answered:
        console.page.get_by_label("Name (may be empty)").nth(1).fill("Eileen")
        console.page.get_by_role("button", name="Enrol face 2").click()
    [face] = answered.value.json()["faces"]
    # In the whole photograph it lies right of 512.
    assert (face["faces_found"], face["box"]["right"] < 250) == (1, True)
    console.page.get_by_role("heading", name="Eileen", exact=True).first.wait_for()


@pytest.mark.parametrize("orientation", [UPRIGHT, ON_ITS_SIDE])
def test_a_larger_face_behind_it_is_not_enrolled_in_its_place(
    console: Console, people: str, astronaut: Image.Image, orientation: int
) -> None:
    # A copy of the face over its own shoulder: around it, most of the larger face is seen and found too.
    copy = astronaut.crop((178, 66, 270, 186)).resize((83, 108), Image.Resampling.BICUBIC)
    crowd = astronaut.copy()
    crowd.paste(copy, (222, 111))
    rows = search(console, people, held(crowd, orientation))
    assert rows.count() == 2
    with console.page.expect_response("**/gallery/enroll") as answered:
        console.page.get_by_role("button", name="Enrol face 2").click()
    [face] = answered.value.json()["faces"]
    # The smaller face begins about 40 pixels from the left and the top of what is sent, the larger one outside it.
    assert (face["faces_found"], face["box"]["left"] > 25, face["box"]["top"] > 25) == (1, True, True)


def test_no_face_is_said_and_no_error(console: Console, people: str, no_face: bytes) -> None:
    page = console.open("identify")
    page.get_by_label("Gallery", exact=True).select_option(people)
    console.choose(0, picture(no_face))
    page.get_by_role("heading", name="No face was found in this photograph.").wait_for()


def test_every_choice_asks_again(
    console: Console, server: Server, people: str, two_faces: bytes, portrait: bytes
) -> None:
    enroll(server, people, "eileen", portrait)
    rows = search(console, people, two_faces)
    page = console.page
    with page.expect_response("**/identify") as answered:
        page.get_by_label("Faces", exact=True).select_option("1")
    assert len(answered.value.json()["faces"]) == 1
    with page.expect_response("**/identify") as answered:
        page.get_by_label("Chance that a stranger is named").select_option("0.1")
    assert answered.value.json()["fpir"] == 0.1
    with page.expect_response("**/identify"):
        page.get_by_role("button", name="Identify", exact=True).click()
    rows.first.locator("summary").click()
    assert rows.first.locator(".measures").is_visible()


def test_a_rate_that_the_calibration_cannot_support_is_told(
    open_console: Open, server: Server, people: str, portrait: bytes
) -> None:
    console = open_console()
    search(console, people, portrait)
    answer = {
        "code": "far_not_supported",
        "title": "Far not supported",
        "status": 422,
        "detail": "too low",
        "min_far": 1e-6,
    }
    console.page.route("**/identify", lambda route: route.fulfill(status=422, json=answer))
    console.page.get_by_label("Chance that a stranger is named").select_option("0.001")
    problem = console.page.locator('.problem[data-code="far_not_supported"]')
    problem.wait_for()
    assert "min far" in problem.inner_text()


def test_several_people_are_named_in_one_photograph(console: Console, server: Server, people: str, lfw: Path) -> None:
    group = Image.new("RGB", (500, 250))
    for place, name in enumerate(("Colin_Powell", "Serena_Williams")):
        known, probe = sorted((lfw / "images" / name).iterdir())[:2]
        enroll(server, people, name, known.read_bytes(), name=name.replace("_", " "))
        with Image.open(probe) as photograph:
            group.paste(photograph, (250 * place, 0))
    buffer = io.BytesIO()
    group.save(buffer, "JPEG", quality=95)
    rows = search(console, people, buffer.getvalue())
    named = set(rows.locator("h3").all_inner_texts())
    assert {"Colin Powell", "Serena Williams"} <= named
