"""Two photographs dropped, pasted, chosen or taken; the answer in words, on a ruler and in numbers."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from tests.console.conftest import Console, Open, one_in, picture

GIVE = """
([index, base64, kind]) => {
  const decoded = (part) => Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  for (const part of base64.split(" ")) {
    transfer.items.add(new File([decoded(part)], "given.jpg", { type: "image/jpeg" }));
  }
  const target = document.querySelectorAll(".picture")[index];
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
    : new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
  target.dispatchEvent(event);
}
"""

BOX_SHARES = """
() => {
  const image = document.querySelector(".seen img").getBoundingClientRect();
  const box = document.querySelector(".seen .face-box").getBoundingClientRect();
  const across = [box.left - image.left, box.top - image.top, box.width, box.height];
  return across.map((px) => px / image.width);
}
"""

# Its state when it is given, and once the page had it.
CAMERA_ON_DEMAND = """
const given = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (wanted) => new Promise((resolve) => {
  window.giveCamera = async () => {
    const stream = await given(wanted);
    const [camera] = stream.getTracks();
    const before = camera.readyState;
    resolve(stream);
    await new Promise((later) => setTimeout(later));
    return [before, camera.readyState];
  };
});
"""

ANOTHER_CAMERA = """
const listed = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
navigator.mediaDevices.enumerateDevices = async () => {
  const [portrait] = (await listed()).filter(({ kind }) => kind === "videoinput");
  return [
    { kind: "videoinput", label: "Portrait", deviceId: portrait.deviceId },
    { kind: "videoinput", label: "Unplugged", deviceId: "unplugged" },
  ];
};
"""


def give(console: Console, index: int, kind: str, *contents: bytes) -> None:
    console.page.evaluate(GIVE, [index, " ".join(base64.b64encode(content).decode() for content in contents), kind])


def compare(console: Console, first: bytes, second: bytes) -> Any:
    """Choose two pictures; the result, once it is there."""
    console.choose(0, picture(first))
    console.choose(1, picture(second))
    decision = console.page.locator(".decision")
    decision.wait_for()
    return decision


def test_two_pictures_of_one_face_match(console: Console, portrait: bytes, portrait_again: bytes) -> None:
    page = console.open("verify")
    assert page.get_by_role("button", name="Compare").is_disabled()
    decision = compare(console, portrait, portrait_again)
    assert decision.locator("h2").inner_text() == "Match"
    assert re.search(r"distance of \d\.\d{3} is below the threshold of \d\.\d{3}", decision.inner_text())
    far = page.request.get("/model").json()["default_far"]
    assert f"{one_in(far)} pairs of different people" in decision.inner_text()
    ruler = page.get_by_role("img", name=re.compile("Distance .* a match"))
    assert ruler.locator(".curve").count() == 1
    for part in ("Decode", "Detect", "Crop", "Embed", "The service took", "this page waited"):
        assert part in page.locator(".took").inner_text()
    assert page.locator(".measures").get_by_role("row").count() > 2


def test_boxes_and_landmarks_lie_on_the_face(console: Console, portrait: bytes, portrait_again: bytes) -> None:
    page = console.open("verify")
    compare(console, portrait, portrait_again)
    # The face of the portrait is at about (178, 69) to (268, 182) of 512 pixels.
    assert page.evaluate(BOX_SHARES) == pytest.approx([178 / 512, 69 / 512, 90 / 512, 113 / 512], abs=0.05)
    assert page.locator(".seen .landmark").count() == 10


def test_the_rate_chosen_changes_the_threshold(console: Console, portrait: bytes, portrait_again: bytes) -> None:
    page = console.open("verify")
    compare(console, portrait, portrait_again)
    card = page.request.get("/model").json()
    strict = card["calibration"]["operating_points"][-1]
    with page.expect_response("**/verify") as answered:
        page.get_by_label("False accepts allowed").select_option(label=one_in(strict["far"]))
    assert answered.value.json()["threshold"] == pytest.approx(strict["threshold"], abs=1e-3)
    page.get_by_text(f"threshold {strict['threshold']:.3f}").wait_for()


def test_an_own_threshold_and_the_button_compare_again(
    console: Console, portrait: bytes, portrait_again: bytes
) -> None:
    page = console.open("verify")
    compare(console, portrait, portrait_again)
    page.get_by_label("False accepts allowed").select_option("threshold")
    page.get_by_label("Threshold, squared L2").fill("0.01")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="No match").wait_for()
    page.get_by_text("threshold 0.010").wait_for()
    page.get_by_label("Threshold, squared L2").fill("")
    page.get_by_role("button", name="Compare").click()
    page.locator(".decision").wait_for(state="detached")  # not by another threshold, unsaid
    assert page.evaluate("document.activeElement.validity.valueMissing")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(console: Console, portrait: bytes, portrait_again: bytes, kind: str) -> None:
    page = console.open("verify")
    give(console, 0, kind, portrait)
    page.get_by_role("button", name="Remove first picture").wait_for()
    give(console, 1, kind, portrait_again)
    page.get_by_role("heading", name="Match", exact=True).wait_for()


def test_two_pictures_dropped_together_are_compared(console: Console, portrait: bytes, portrait_again: bytes) -> None:
    page = console.open("verify")
    give(console, 1, "drop", portrait, portrait_again, portrait)
    page.get_by_role("heading", name="Match", exact=True).wait_for()
    page.get_by_text("Only 2 of 3 pictures were taken.").wait_for()


def test_a_picture_that_misses_its_place_does_not_take_the_place_of_the_page(console: Console) -> None:
    page = console.open("verify")
    left = """() => ["dragover", "drop"].map((kind) => document.body.dispatchEvent(
        new DragEvent(kind, { dataTransfer: new DataTransfer(), bubbles: true, cancelable: true })))"""
    assert page.evaluate(left) == [False, False]  # what the browser would do is prevented


def test_a_picture_taken_with_the_camera_matches(console: Console, portrait: bytes) -> None:
    page = console.open("verify")
    console.choose(0, picture(portrait))
    page.get_by_role("button", name="Take second picture with the camera").click()
    page.get_by_role("button", name="Take the picture").click()
    page.get_by_role("heading", name="Match", exact=True).wait_for()
    assert page.locator("dialog").count() == 0


def test_the_camera_is_left_without_a_picture(console: Console) -> None:
    page = console.open("verify")
    page.get_by_role("button", name="Take first picture with the camera").click()
    page.get_by_role("button", name="Cancel").click()
    assert page.get_by_role("button", name="Choose first picture").is_visible()


def test_a_camera_that_is_refused_is_told(open_console: Open) -> None:
    page = open_console(permissions=[]).open("verify")
    page.get_by_role("button", name="Take first picture with the camera").click()
    page.get_by_text("The browser was not allowed to use the camera").wait_for()
    assert page.get_by_role("button", name="Take the picture").is_disabled()


def test_a_camera_that_comes_after_the_dialog_was_left_is_switched_off(console: Console) -> None:
    console.page.add_init_script(CAMERA_ON_DEMAND)
    page = console.open("verify")
    page.get_by_role("button", name="Take first picture with the camera").click()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert page.evaluate("window.giveCamera()") == ["live", "ended"]


def test_a_camera_that_cannot_be_changed_to_is_told_and_no_picture_taken(console: Console) -> None:
    console.page.add_init_script(ANOTHER_CAMERA)
    page = console.open("verify")
    page.get_by_role("button", name="Take first picture with the camera").click()
    take = page.get_by_role("button", name="Take the picture")
    page.get_by_label("Camera", exact=True).select_option("Unplugged")
    page.get_by_text("This camera is not there any more").wait_for()
    assert take.is_disabled()
    page.get_by_label("Camera", exact=True).select_option("Portrait")
    take.click()
    page.get_by_role("button", name="Remove first picture").wait_for()


def test_no_picture_is_made_of_a_camera_that_shows_none(console: Console) -> None:
    page = console.open("verify")
    page.get_by_role("button", name="Take first picture with the camera").click()
    take = page.get_by_role("button", name="Take the picture")
    page.get_by_text("Look straight at the camera").wait_for()
    # An empty video has an empty canvas, which becomes no file.
    take.evaluate("() => { document.querySelector('video').srcObject = null; }")
    take.click()
    page.get_by_text("There is no picture yet").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Choose first picture").wait_for()


def test_a_picture_is_removed_and_its_result_with_it(console: Console, portrait: bytes, portrait_again: bytes) -> None:
    page = console.open("verify")
    compare(console, portrait, portrait_again)
    page.get_by_role("button", name="Remove second picture").click()
    assert page.locator(".decision").count() == 0
    assert page.get_by_role("button", name="Compare").is_disabled()


def test_no_face_is_told_as_a_fact_with_what_to_do(open_console: Open, portrait: bytes, no_face: bytes) -> None:
    console = open_console()
    page = console.open("verify")
    console.choose(0, picture(portrait))
    console.choose(1, picture(no_face))
    problem = page.locator('.problem[data-code="no_face"]')
    problem.wait_for()
    for part in ("image2", "faces found: 0", "Use a picture in which a face can be seen", "Request id"):
        assert part in problem.inner_text()
    assert console.refused == [("/verify", 422)]


def test_several_faces_are_refused_where_that_is_asked(open_console: Open, portrait: bytes, two_faces: bytes) -> None:
    console = open_console()
    page = console.open("verify")
    page.get_by_label("Where there are several faces").select_option("only")
    console.choose(0, picture(portrait))
    console.choose(1, picture(two_faces))
    page.locator('.problem[data-code="several_faces"]').wait_for()
    page.get_by_label("Where there are several faces").select_option("largest")
    page.get_by_role("heading", name="Match", exact=True).wait_for()


def test_a_server_that_is_gone_is_told(open_console: Open, portrait: bytes, portrait_again: bytes) -> None:
    console = open_console()
    page = console.open("verify")
    page.route("**/verify", lambda route: route.abort("connectionrefused"))
    console.choose(0, picture(portrait))
    console.choose(1, picture(portrait_again))
    page.locator('.problem[data-code="unreachable"]').wait_for()
    console.faults = [fault for fault in console.faults if "ERR_CONNECTION_REFUSED" not in fault]


def test_real_photographs_of_one_person_and_of_two(console: Console, lfw: Path) -> None:
    same = sorted((lfw / "images" / "Colin_Powell").iterdir())[:2]
    other = sorted((lfw / "images" / "Serena_Williams").iterdir())[0]
    page = console.open("verify")
    compare(console, same[0].read_bytes(), same[1].read_bytes())
    page.get_by_role("heading", name="Match", exact=True).wait_for()
    page.get_by_role("button", name="Remove second picture").click()
    console.choose(1, picture(other.read_bytes()))
    page.get_by_role("heading", name="No match").wait_for()
