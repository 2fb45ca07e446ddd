"""With API keys: the page is public, the key is entered once and lives in the tab's session only."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.conftest import Open, picture
from tests.processes import Server, environment, run, serving

KEPT = "() => ({ session: { ...sessionStorage }, local: { ...localStorage }, cookies: document.cookie })"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Keys by what they may do; the first one makes the service ask for one."""
    database = tmp_path_factory.mktemp("keys") / "keys.db"
    made = {"database": str(database)}
    for scope in ("admin", "identify"):
        created = run("keys", "create", scope, "--scope", scope, "--json", env=environment(database))
        assert created.returncode == 0, created.stderr
        made[scope] = json.loads(created.stdout)["key"]
    return made


@pytest.fixture(scope="module")
def guarded(keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(Path(keys["database"])) as running:
        yield running


def test_the_key_is_asked_for_once_and_kept_in_the_session_only(
    open_console: Open, guarded: Server, keys: dict[str, str], portrait: bytes, portrait_again: bytes
) -> None:
    console = open_console(of=guarded)
    page = console.page
    page.goto("/")
    page.get_by_label("Key", exact=True).fill("sameface_wrong")
    page.get_by_role("button", name="Use this key").click()
    page.locator('.problem[data-code="unauthenticated"]').wait_for()
    page.get_by_label("Key", exact=True).fill(keys["admin"])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Verify").wait_for()
    console.choose(0, picture(portrait))
    console.choose(1, picture(portrait_again))
    page.get_by_role("heading", name="Match", exact=True).wait_for()
    kept = page.evaluate(KEPT)
    assert (kept["session"]["sameface.key"], kept["local"], kept["cookies"]) == (keys["admin"], {}, "")
    console.open("status").get_by_text("Index revision").wait_for()
    page.reload()
    page.get_by_text("Index revision").wait_for()


def test_without_a_key_the_page_says_what_it_needs(open_console: Open, guarded: Server) -> None:
    console = open_console(of=guarded)
    page = console.page
    page.goto("/")
    page.get_by_role("button", name="Cancel").click()
    page.locator('.problem[data-code="unauthenticated"]').wait_for()
    assert page.evaluate(KEPT)["session"] == {}
    status = console.open("status")
    status.get_by_text("Ready", exact=True).wait_for()
    status.get_by_text("Counters need an API key").wait_for()


def test_a_key_is_forgotten_by_its_button(open_console: Open, guarded: Server, keys: dict[str, str]) -> None:
    console = open_console(of=guarded)
    page = console.page
    page.goto("/#/model")
    page.get_by_label("Key", exact=True).fill(keys["admin"])
    page.get_by_role("button", name="Use this key").click()
    page.get_by_role("heading", name="What a threshold costs").wait_for()
    page.get_by_role("button", name="API key in use").click()
    page.get_by_role("button", name="Forget the key").click()
    page.get_by_role("button", name="Enter an API key").wait_for()
    assert "sameface.key" not in page.evaluate(KEPT)["session"]


def test_what_a_key_may_not_do_is_told(open_console: Open, guarded: Server, keys: dict[str, str]) -> None:
    console = open_console(of=guarded)
    page = console.page
    page.goto("/#/identify")
    page.get_by_label("Key", exact=True).fill(keys["identify"])
    page.get_by_role("button", name="Use this key").click()
    page.get_by_text("This key may not list galleries; type a name").wait_for()
    page.get_by_label("Gallery", exact=True).fill("elsewhere")
    page.get_by_role("link", name="Gallery", exact=True).click()
    problem = page.locator('.problem[data-code="forbidden"]')
    problem.wait_for()
    assert "scopes needed: enroll" in problem.inner_text()
