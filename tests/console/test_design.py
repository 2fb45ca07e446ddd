"""For everybody: no fault that axe finds, keyboard alone, 360 px, both themes, and nothing from elsewhere."""

import re
from typing import Any

import pytest

from tests.console.conftest import Console, Open, enroll, picture
from tests.processes import Server

PAGES = ["verify", "identify", "gallery", "model", "status"]

INLINE = """
() => new Promise((resolve) => {
  document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), { once: true });
  const script = document.createElement("script");
  try {
    script.text = "window.injected = true";
    document.head.append(script);
  } catch (error) {
    resolve(error.name);
  }
})
"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTLINE = "() => parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
FOCUSED = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
LUMINANCE = """
() => {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
  canvas.fillRect(0, 0, 1, 1);
  return canvas.getImageData(0, 0, 1, 1).data[0];
}
"""


def fill(console: Console, name: str, portrait: bytes, two_faces: bytes) -> None:
    """Open a page and bring it into the state that shows most."""
    page = console.open(name)
    if name == "verify":
        console.choose(0, picture(portrait))
        console.choose(1, picture(two_faces))
        page.locator(".decision").wait_for()
    elif name == "identify":
        console.choose(0, picture(two_faces))
        page.locator(".face-row").first.wait_for()
    elif name == "status":
        page.get_by_text("Index revision").wait_for()


@pytest.fixture(scope="module", autouse=True)
def enrolled(server: Server, portrait: bytes) -> None:
    """Somebody to be seen in the gallery."""
    enroll(server, "default", "emp-0042", portrait, name="Eileen Collins")


def test_a_button_under_the_pointer_keeps_the_colour_of_its_words(console: Console) -> None:
    button = console.open("gallery").locator("button.primary:enabled").first
    colour = "(element) => getComputedStyle(element).color"
    resting = button.evaluate(colour)
    button.hover()
    assert button.evaluate(colour) == resting


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_fault_on_any_page(open_console: Open, portrait: bytes, two_faces: bytes, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    console = open_console(color_scheme=theme)
    for name in [*PAGES, "gallery/default/emp-0042"]:
        fill(console, name, portrait, two_faces)
        results = axe.run(console.page)
        assert results.violations_count == 0, f"{name}: {results.generate_report()}"


def test_axe_finds_no_fault_in_the_dialogs(open_console: Open) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    console = open_console()
    page = console.open("gallery")
    for button in ("Add a subject", "New gallery", "Drop gallery", "Enter an API key"):
        page.get_by_role("button", name=button).click()
        page.get_by_role("dialog").wait_for()
        results = axe.run(page)
        assert results.violations_count == 0, f"{button}: {results.generate_report()}"
        page.keyboard.press("Escape")


@pytest.mark.parametrize("width", [360, 768])
def test_no_page_is_wider_than_the_window(open_console: Open, portrait: bytes, two_faces: bytes, width: int) -> None:
    console = open_console(viewport={"width": width, "height": 740})
    for name in [*PAGES, "gallery/default/emp-0042"]:
        fill(console, name, portrait, two_faces)
        assert console.page.evaluate(OVERFLOW) == 0, name


def test_the_theme_follows_the_system_until_the_button_chooses(open_console: Open) -> None:
    console = open_console(color_scheme="dark")
    page = console.open("verify")
    dark = page.evaluate(LUMINANCE)
    page.get_by_role("button", name="Change to light colours").click()
    assert page.evaluate(LUMINANCE) > 200 > 60 > dark
    page.reload()
    page.get_by_role("button", name="Change to dark colours").wait_for()
    assert page.evaluate(LUMINANCE) > 200


def tab_to(page: Any, name: str) -> None:
    """Press Tab until the element that is called so has the focus, which must be seen all the way."""
    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate(OUTLINE) >= 2
        if re.fullmatch(name, page.evaluate(FOCUSED).strip()):
            return
    raise AssertionError(f"{name} cannot be reached with Tab")


def test_two_pictures_are_compared_with_the_keyboard_alone(
    console: Console, portrait: bytes, portrait_again: bytes
) -> None:
    page = console.open("verify")
    # Choosers are told of from here on: asked for only when one is due, a fast one is missed.
    page.on("filechooser", lambda chooser: None)
    for which, content in (("first", portrait), ("second", portrait_again)):
        tab_to(page, f"Choose {which} picture")
        with page.expect_file_chooser() as chosen:
            page.keyboard.press("Enter")
        chosen.value.set_files([picture(content)])
        page.get_by_role("button", name=f"Remove {which} picture").wait_for()
    page.get_by_role("heading", name="Match", exact=True).wait_for()
    tab_to(page, "Compare")
    with page.expect_response("**/verify"):
        page.keyboard.press("Enter")
    page.get_by_role("heading", name="Match", exact=True).wait_for()


def test_pages_are_reached_with_the_keyboard(console: Console) -> None:
    page = console.open("verify")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    for name in PAGES[1:]:
        page.get_by_role("link", name=name.capitalize(), exact=True).focus()
        page.keyboard.press("Enter")
        page.locator(f'.page[data-page="{name}"] h1').wait_for()
        current = page.locator(".tabs [aria-current=page]")
        assert (current.inner_text(), page.title()) == (name.capitalize(), f"{name.capitalize()} · sameface")


def test_a_name_that_is_no_page_leads_to_the_first(console: Console) -> None:
    console.page.goto("/#/constructor")
    console.page.get_by_role("heading", name="Verify").wait_for()


def test_a_dialog_over_another_has_a_name_of_its_own(console: Console) -> None:
    page = console.open("gallery")
    page.get_by_role("button", name="Add a subject").click()
    page.get_by_role("dialog", name="Add a subject").get_by_role("button", name="Camera").click()
    page.get_by_role("dialog", name="Take a picture").wait_for()


def test_results_are_read_out(console: Console) -> None:
    page = console.open("verify")
    assert page.get_by_label("Result").get_attribute("aria-live") == "polite"
    assert page.locator("#toasts").get_attribute("aria-live") == "polite"


def test_a_script_in_the_page_is_refused(open_console: Open) -> None:
    console = open_console()
    page = console.open("verify")
    assert page.evaluate(INLINE) in ("TypeError", "require-trusted-types-for", "script-src-elem")
    assert page.evaluate("() => window.injected") is None
    console.faults = [fault for fault in console.faults if "TrustedScript" not in fault and "script" not in fault]


def test_the_links_of_the_page_lead_somewhere(console: Console) -> None:
    page = console.open("verify")
    for link in page.locator("footer a").all():
        address = link.get_attribute("href")
        assert page.request.get(f"/{address}").status == 200
    page.locator(".brand").click()
    page.get_by_role("heading", name="Verify").wait_for()
