"""The docs page works without internet and runs no script but files of its own."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

from tests.api.conftest import Client

BASE = "http://test"


class Links(HTMLParser):
    """What a page loads, and the scripts within it."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline_scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and "src" not in given:
            self.inline_scripts += 1
        assert not [name for name in given if name.startswith("on") or name == "style"]
        if tag in ("script", "link", "img"):
            self.loaded.append(str(given.get("src") or given.get("href")))


def test_everything_the_page_loads_is_served_here(client: Client) -> None:
    page = client.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = Links()
    links.feed(page.text)
    assert links.inline_scripts == 0
    assert len(links.loaded) == 4
    for link in links.loaded:
        address = urljoin(f"{BASE}/docs", link)
        assert address.startswith(f"{BASE}/docs/assets/")
        asset = client.get(address.removeprefix(BASE))
        assert asset.status_code == 200
        assert len(asset.content) > 100
    assert client.get("/openapi.json").status_code == 200


def test_the_policy_lets_no_other_host_and_no_inline_script_in(client: Client) -> None:
    policy = client.get("/docs").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert (rules["script-src"], rules["connect-src"], rules["frame-ancestors"]) == ("'self'", "'self'", "'none'")
    assert not re.search(r"https?:|\*", policy)


def test_every_file_has_the_policy_and_is_asked_for_again(client: Client) -> None:
    page = client.get("/docs").headers
    for path in ("index.html", "swagger-ui.css", "initialize.js"):
        asset = client.get(f"/docs/assets/{path}").headers
        assert asset["content-security-policy"] == page["content-security-policy"]
        assert asset["cache-control"] == page["cache-control"] == "no-cache"


def test_the_styles_load_nothing_from_elsewhere(client: Client) -> None:
    styles = client.get("/docs/assets/swagger-ui.css").text
    addresses = re.findall(r"url\(\s*[\"']?([^\"')\s]{0,20})", styles)
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    assert "@import" not in styles


def test_no_validator_on_the_internet_is_told_of_the_document(client: Client) -> None:
    assert "validatorUrl: null" in client.get("/docs/assets/initialize.js").text


def test_what_is_no_asset_is_not_found(client: Client) -> None:
    for path in ("nothing.js", "../docs.py", "%2e%2e/docs.py", "..%2fdocs.py", ""):
        assert client.get(f"/docs/assets/{path}").status_code == 404
