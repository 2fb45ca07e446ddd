"""Galleries and subjects: made, searched, paged, added, renamed, compared and erased, each by its button."""

import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.console.conftest import Console, Open, enroll, picture
from tests.processes import Server


def subject_page(console: Console, server: Server, gallery: str, subject_id: str, image: bytes) -> Any:
    """The page of a subject that is enrolled first."""
    enroll(server, gallery, subject_id, image)
    console.open(f"gallery/{quote(gallery)}/{quote(subject_id, safe='')}")
    console.page.locator(".face-tile").first.wait_for()
    return console.page


def fails_after(parts: int) -> Callable[[Any], None]:
    """A route that lets so many requests through and says that the service is overloaded to the others."""
    passed = itertools.count()
    overloaded = {"code": "overloaded", "title": "Overloaded", "status": 503, "detail": "too much waits"}

    def answer(route: Any) -> None:
        route.continue_() if next(passed) < parts else route.fulfill(status=503, json=overloaded)

    return answer


def test_a_gallery_is_made_and_dropped_by_typing_its_name(console: Console, server: Server) -> None:
    page = console.open("gallery")
    page.get_by_role("button", name="New gallery").click()
    page.get_by_label("Name", exact=True).fill("visitors")
    page.get_by_role("button", name="Make gallery").click()
    page.get_by_role("option", name="visitors (0 subjects)", selected=True).wait_for(state="attached")
    page.get_by_text("Nobody is enrolled here yet.").wait_for()
    page.get_by_role("button", name="Drop gallery").click()
    dialog = page.get_by_role("dialog")
    sure = dialog.get_by_role("button", name="Drop gallery")
    assert sure.is_disabled()
    dialog.get_by_label("Type visitors to confirm").fill("visitors")
    sure.click()
    page.get_by_text("visitors is gone").wait_for()
    assert server.http.get("/galleries/visitors").status_code == 404


def test_nothing_is_erased_when_a_dialog_is_left(
    console: Console, server: Server, people: str, portrait: bytes
) -> None:
    page = subject_page(console, server, people, "stays", portrait)
    page.get_by_role("button", name="Erase subject").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Erase face 1").click()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    assert server.http.get("/gallery/subjects/stays", params={"gallery": people}).json()["faces"] == 1


def test_a_subject_is_added_with_photographs(
    console: Console, server: Server, people: str, portrait: bytes, portrait_again: bytes
) -> None:
    page = console.open(f"gallery/{people}")
    page.get_by_role("button", name="Add a subject").click()
    page.get_by_label("Subject id", exact=True).fill("emp-0042")
    page.get_by_label("Name (may be empty)").fill("Eileen Collins")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Metadata, a JSON object (may be empty)").fill('{"floor": 3}')
    files = page.get_by_role("dialog").locator("input[type=file]")
    files.set_input_files([picture(portrait, "1.jpg"), picture(portrait_again, "2.jpg"), picture(portrait, "3.jpg")])
    page.get_by_role("button", name="Leave out 3.jpg").click()
    page.get_by_role("dialog").get_by_role("button", name="Enrol").click()
    page.get_by_role("heading", name="Eileen Collins").wait_for()
    page.get_by_role("heading", name="2 faces").wait_for()
    page.get_by_role("img", name="Face 2").wait_for()
    subject = server.http.get("/gallery/subjects/emp-0042", params={"gallery": people}).json()
    assert (subject["name"], subject["metadata"], subject["faces"]) == ("Eileen Collins", {"floor": 3}, 2)


def test_an_id_that_is_in_use_is_told_before_anything_is_added_to_it(
    console: Console, server: Server, people: str, portrait: bytes, portrait_again: bytes
) -> None:
    fields = {"subject_id": "eileen", "name": "Eileen Collins", "gallery": people}
    server.http.post("/gallery/enroll", data=fields, files={"image": portrait}).raise_for_status()
    page = console.open(f"gallery/{people}")
    page.get_by_role("button", name="Add a subject").click()
    page.get_by_label("Subject id", exact=True).fill("eileen")
    page.get_by_label("Name (may be empty)").fill("Somebody Else")
    dialog = page.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files([picture(portrait_again, "1.jpg")])
    dialog.get_by_role("button", name="Enrol").click()
    dialog.get_by_text(f"eileen (Eileen Collins) is in {people} already, with 1 face.").wait_for()

    def stored() -> tuple[str, int]:
        subject = server.http.get("/gallery/subjects/eileen", params={"gallery": people}).json()
        return subject["name"], subject["faces"]

    assert stored() == ("Eileen Collins", 1)
    dialog.get_by_role("button", name="Enrol").click()
    page.get_by_role("heading", name="2 faces").wait_for()
    assert stored() == ("Eileen Collins", 2)


def test_a_photograph_from_the_camera_is_added(console: Console, people: str) -> None:
    page = console.open(f"gallery/{people}")
    page.get_by_role("button", name="Add a subject").click()
    page.get_by_role("dialog").get_by_role("button", name="Camera").click()
    page.get_by_role("button", name="Take the picture").click()
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_role("heading", name="1 face", exact=True).wait_for()


def test_photographs_that_are_turned_down_are_named_with_their_reasons(
    console: Console, people: str, portrait: bytes, no_face: bytes, two_faces: bytes
) -> None:
    page = console.open(f"gallery/{people}")
    page.get_by_role("button", name="Add a subject").click()
    page.get_by_label("Subject id", exact=True).fill("mixed")
    images = [picture(portrait), picture(no_face), picture(two_faces)]
    page.get_by_role("dialog").locator("input[type=file]").set_input_files(images)
    page.get_by_role("button", name="Enrol", exact=True).click()
    notice = page.get_by_role("dialog").locator(".notice")
    notice.wait_for()
    text = notice.inner_text()
    assert "1 photograph stored" in text
    assert "picture 2: no face" in text.lower()
    assert "picture 3: 2 faces were found" in text
    page.get_by_role("button", name="Close").click()
    page.get_by_role("heading", name="mixed").wait_for()


def test_many_photographs_go_in_parts(console: Console, server: Server, people: str, portrait: bytes) -> None:
    page = console.open(f"gallery/{people}")
    page.get_by_role("button", name="Add a subject").click()
    page.get_by_label("Subject id", exact=True).fill("many")
    # The same face in files that differ: the end of a JPEG may be followed by anything.
    files = [picture(portrait + bytes([number]), f"{number}.jpg") for number in range(7)]
    page.get_by_role("dialog").locator("input[type=file]").set_input_files(files)
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_role("heading", name="7 faces").wait_for()


def test_a_part_that_fails_is_sent_again_and_what_is_done_is_not(
    open_console: Open, server: Server, people: str, portrait: bytes, no_face: bytes
) -> None:
    console = open_console()
    page = console.open(f"gallery/{people}")
    page.get_by_role("button", name="Add a subject").click()
    page.get_by_label("Subject id", exact=True).fill("again")
    files = [picture(portrait + bytes([number]), f"{number}.jpg") for number in range(1, 8)]
    files[1] = picture(no_face, "2.jpg")
    files[6] = picture(no_face, "7.jpg")
    dialog = page.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files(files)
    page.route("**/gallery/enroll", fails_after(1))
    dialog.get_by_role("button", name="Enrol").click()
    dialog.locator('.problem[data-code="overloaded"]').wait_for()
    told = dialog.locator(".notice").inner_text()
    assert "4 photographs stored" in told
    assert "picture 2: no face" in told.lower()
    left = dialog.get_by_role("list", name="Chosen photographs").get_by_role("img")
    assert [image.get_attribute("alt") for image in left.all()] == ["6.jpg", "7.jpg"]
    page.unroute("**/gallery/enroll")
    with page.expect_response("**/gallery/enroll") as answered:
        dialog.get_by_role("button", name="Enrol").click()
    assert len(answered.value.json()["faces"]) == 2
    dialog.get_by_text("5 photographs stored").wait_for()
    told = dialog.locator(".notice").inner_text().lower()
    assert ("picture 2: no face" in told, "picture 7: no face" in told) == (True, True)
    assert dialog.locator(".problem").count() == 0
    dialog.get_by_role("button", name="Close").click()
    page.get_by_text("5 photographs of again stored").wait_for()
    page.get_by_role("heading", name="5 faces").wait_for()
    assert console.refused == [("/gallery/enroll", 503)]


def test_no_photograph_with_a_face_is_told(open_console: Open, people: str, no_face: bytes) -> None:
    console = open_console()
    page = console.open(f"gallery/{people}")
    page.get_by_role("button", name="Add a subject").click()
    page.get_by_role("dialog").locator("input[type=file]").set_input_files([picture(no_face)])
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.locator('.problem[data-code="no_face"]').wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert console.refused == [("/gallery/enroll", 422)]


def test_subjects_are_searched_and_paged(console: Console, server: Server, people: str, portrait: bytes) -> None:
    for number in range(11):
        enroll(server, people, f"emp-{number:02}", portrait)
    enroll(server, people, "guest/1", portrait)
    page = console.open(f"gallery/{people}")
    page.get_by_label("Rows").select_option("10")
    page.get_by_text("Page 1, 10 subjects").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("Page 2, 2 subjects").wait_for()
    assert page.locator(".subject-link").all_inner_texts() == ["emp-10", "guest/1"]
    page.get_by_role("button", name="Previous").click()
    page.get_by_text("Page 1, 10 subjects").wait_for()
    page.get_by_label("Search by the beginning of the subject id").fill("guest")
    page.get_by_text("Page 1, 1 subject", exact=True).wait_for()
    page.get_by_role("link", name="guest/1").click()
    page.get_by_role("heading", name="guest/1").wait_for()
    page.get_by_role("navigation", name="Where you are").get_by_role("link", name=people).click()
    page.get_by_label("Search by the beginning of the subject id").fill("nobody")
    page.get_by_text("No subject id begins with nobody.").wait_for()


def test_details_are_changed(console: Console, server: Server, people: str, portrait: bytes) -> None:
    page = subject_page(console, server, people, "emp-1", portrait)
    page.get_by_label("Name", exact=True).fill("Eileen Marie Collins")
    page.get_by_label("Metadata, a JSON object").fill("{floor: 3}")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Metadata is not a JSON object").wait_for()
    page.get_by_label("Metadata, a JSON object").fill('{"floor": 4}')
    page.get_by_label("Erase at").fill("2090-01-02T03:04")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Eileen Marie Collins").wait_for()
    subject = server.http.get("/gallery/subjects/emp-1", params={"gallery": people}).json()
    assert (subject["name"], subject["metadata"]) == ("Eileen Marie Collins", {"floor": 4})
    assert subject["expires_at"].startswith("2090-01-0")


def test_what_was_not_touched_stays_as_it_is(console: Console, server: Server, people: str, portrait: bytes) -> None:
    page = subject_page(console, server, people, "emp-2", portrait)
    path, where = "/gallery/subjects/emp-2", {"gallery": people}
    kept = b'{"metadata": {"badge": 9007199254740993}, "expires_at": "2090-01-02T03:04:45Z"}'
    server.http.patch(path, params=where, content=kept, headers={"content-type": "application/json"})
    page.reload()
    page.get_by_label("Name", exact=True).fill("Eileen")
    server.http.patch(path, params=where, json={"name": "Somebody else"})
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Eileen").wait_for()
    subject = server.http.get(path, params=where).json()
    assert (subject["name"], subject["metadata"]) == ("Eileen", {"badge": 9007199254740993})
    assert subject["expires_at"] == "2090-01-02T03:04:45Z"


def test_photographs_are_added_compared_and_erased(
    console: Console, server: Server, people: str, portrait: bytes, portrait_again: bytes
) -> None:
    page = subject_page(console, server, people, "emp-1", portrait)
    page.get_by_role("button", name="Add photographs").click()
    page.get_by_role("dialog").locator("input[type=file]").set_input_files([picture(portrait_again)])
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_role("heading", name="2 faces").wait_for()
    page.get_by_label("Compare").locator("input[type=file]").set_input_files([picture(portrait)])
    page.get_by_role("heading", name="Match", exact=True).wait_for()
    page.get_by_role("button", name="Erase face 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase face").click()
    page.get_by_role("heading", name="1 face", exact=True).wait_for()
    page.get_by_role("button", name="Erase subject").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase subject").click()
    page.get_by_text("Nobody is enrolled here yet.").wait_for()
    assert server.http.get("/gallery/subjects", params={"gallery": people}).json()["items"] == []


def test_an_address_that_encodes_nothing_is_taken_as_it_is(open_console: Open) -> None:
    console = open_console()
    page = console.open("gallery/%")
    page.get_by_role("option", name="%", exact=True).wait_for(state="attached")
    page.locator(".problem").wait_for()


def test_a_subject_that_is_gone_is_told(open_console: Open, people: str) -> None:
    console = open_console()
    console.page.goto(f"/#/gallery/{people}/nobody")
    console.page.locator('.problem[data-code="subject_not_found"]').wait_for()
    assert console.refused == [("/gallery/subjects/nobody", 404)]


def test_names_are_shown_as_text_and_never_as_markup(
    console: Console, server: Server, people: str, portrait: bytes
) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    enroll(server, people, hostile, portrait, name=f"{hostile}\u202e")
    page = console.open(f"gallery/{people}")
    page.get_by_role("link", name=hostile).click()
    page.get_by_role("heading", name=hostile).wait_for()
    assert page.locator("main img[src=x]").count() == 0
