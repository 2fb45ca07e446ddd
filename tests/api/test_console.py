"""The console's files: public, under a strict policy, and nothing in the page that the policy would refuse."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from app.api.console import CONSOLE
from tests.api.conftest import Client
from tests.api.test_docs import BASE, Links

SCRIPTS = sorted((CONSOLE / "assets").rglob("*.js"))
STYLES = sorted((CONSOLE / "assets").rglob("*.css"))


def test_everything_the_page_loads_is_served_here(client: Client) -> None:
    page = client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = Links()
    links.feed(page.text)
    assert links.inline_scripts == 0
    assert "<style" not in page.text
    for link in links.loaded:
        address = urljoin(f"{BASE}/", link)
        assert address.startswith(f"{BASE}/console/assets/")
        assert client.get(address.removeprefix(BASE)).status_code == 200
    assert {link for link in links.loaded if link.endswith(".css")} == {
        f"console/assets/{style.relative_to(CONSOLE / 'assets')}" for style in STYLES
    }


@pytest.mark.parametrize("path", ["/", "/console/assets/app.js", "/console/assets/styles/base.css"])
def test_every_file_has_the_headers_that_keep_it_in_bounds(client: Client, path: str) -> None:
    headers = client.get(path).headers
    rules = dict(rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";"))
    assert (rules["default-src"], rules["frame-ancestors"], rules["form-action"]) == ("'none'",) * 3
    assert (rules["script-src"], rules["style-src"], rules["connect-src"]) == ("'self'",) * 3
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_a_file_is_sent_again_only_when_it_changed(client: Client) -> None:
    first = client.get("/console/assets/app.js")
    assert (first.headers["cache-control"], first.headers["content-type"].split(";")[0]) == (
        "no-cache",
        "text/javascript",
    )
    again = client.get("/console/assets/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-security-policy" in again.headers


def test_what_is_no_file_is_not_found(client: Client) -> None:
    for path in (
        "nothing.js",
        "../index.html",
        "%2e%2e/index.html",
        "..%2findex.html",
        "",
        "pages",
        "..%2f..%2fmain.py",
    ):
        assert client.get(f"/console/assets/{path}").status_code == 404


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_small_and_makes_no_markup_of_text(script: Path) -> None:
    text = script.read_text()
    assert len(text.splitlines()) <= 250
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_style_loads_nothing(style: Path) -> None:
    assert not re.search(r"url\(|@import", style.read_text())
