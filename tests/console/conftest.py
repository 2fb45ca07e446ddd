"""The console in a real browser, over a real server with the committed model.

Chromium comes from the system or from Playwright; where there is neither, these tests are skipped. Its camera shows
the portrait. Whatever a test does, it fails if the page reports an error, breaks its own security policy or asks
another host.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from tests.processes import Server, serving

_CAMERA = (640, 480)
_INTERRUPTED = "net::ERR_NETWORK_CHANGED"
_REFUSED = "Failed to load resource: the server responded with a status of"


def picture(content: bytes, name: str = "picture.jpg") -> dict[str, Any]:
    """A file for a page's file chooser."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def one_in(rate: float) -> str:
    """A rate as the page writes it."""
    return f"{100 * rate:.0f} %" if rate >= 0.095 else f"1 in {float(f'{1 / rate:.2g}'):,.0f}"


def y4m(image: Image.Image, path: Path) -> Path:
    """A video of one still picture, 4:2:0, as Chromium's fake camera plays it."""
    frame = Image.new("RGB", _CAMERA)
    frame.paste(image.resize((480, 480)), (80, 0))
    luma, blue, red = frame.convert("YCbCr").split()
    half = (_CAMERA[0] // 2, _CAMERA[1] // 2)
    planes = luma.tobytes() + blue.resize(half).tobytes() + red.resize(half).tobytes()
    header = f"YUV4MPEG2 W{_CAMERA[0]} H{_CAMERA[1]} F10:1 Ip A1:1 C420\n".encode()
    path.write_bytes(header + 3 * (b"FRAME\n" + planes))
    return path


def _executable(chromium: Any) -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return chromium.executable_path if Path(chromium.executable_path).exists() else None


@pytest.fixture(scope="package")
def browser(astronaut: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    camera = y4m(astronaut, tmp_path_factory.mktemp("camera") / "portrait.y4m")
    with playwright.sync_playwright() as running:
        executable = _executable(running.chromium)
        if executable is None:
            pytest.skip("there is no Chromium: apt-get install chromium, or playwright install chromium")
        arguments = [
            "--no-sandbox",  # which root in a container cannot have
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        ]
        try:
            opened = running.chromium.launch(executable_path=executable, args=arguments)
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start: {error}")
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("console") / "console.db", SAMEFACE_STORE_CROPS="true") as running:
        yield running


class Console:
    """A tab of the console, and what went wrong in it."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.address = address
        self.context = browser.new_context(base_url=address, **options)
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.refused: list[tuple[str, int]] = []  # route and status of answers that were no success
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.context.on("request", self._asked)
        self.context.on("response", self._answered)

    def open(self, page: str) -> Any:
        """Go to a page of the console and wait until it is drawn."""
        self.page.goto(f"/#/{page}")
        drawn = self.page.locator(f'.page[data-page="{page.split("/")[0]}"] h1')
        try:
            drawn.wait_for()
        except Exception:
            # A network interface of the machine came or went, and Chromium drops what it is loading then.
            if not any(_INTERRUPTED in fault for fault in self.faults):
                raise
            self.faults = [fault for fault in self.faults if _INTERRUPTED not in fault]
            self.page.reload()
            drawn.wait_for()
        return self.page

    def choose(self, index: int, *files: dict[str, Any]) -> None:
        """Give files to a picture of the page, as its button would."""
        self.page.locator(".picture").nth(index).locator("input[type=file]").set_input_files(list(files))

    def close(self) -> None:
        self.context.close()

    def _said(self, message: Any) -> None:
        # An answer that is no success is a message of the browser's; those are checked in `refused`.
        if message.type in ("error", "warning") and not message.text.startswith(_REFUSED):
            self.faults.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, "blob:")):
            self.faults.append(f"asked {request.url}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            path = response.url.removeprefix(self.address).partition("?")[0]
            self.refused.append((path, response.status))


Open = Callable[..., Console]


@pytest.fixture
def open_console(browser: Any, server: Server) -> Iterator[Open]:
    """Opens tabs that know nothing of each other. `of`: another server; the rest are Playwright's options."""
    opened: list[Console] = []

    def make(of: Server = server, **options: Any) -> Console:
        usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", "permissions": ["camera"]}
        opened.append(Console(browser, f"http://127.0.0.1:{of.port}", **usual | options))
        return opened[-1]

    yield make
    for console in opened:
        console.close()
    assert [fault for console in opened for fault in console.faults] == []


@pytest.fixture
def console(open_console: Open) -> Iterator[Console]:
    """A tab in which every request has to succeed."""
    opened = open_console()
    yield opened
    assert opened.refused == []


@pytest.fixture
def people(server: Server, portrait: bytes) -> Iterator[str]:
    """The name of a gallery of its own that a test fills; it is dropped afterwards."""
    name = f"console-{uuid4().hex[:8]}"
    server.http.post("/galleries", json={"name": name}).raise_for_status()
    yield name
    server.http.delete(f"/galleries/{name}")


def enroll(server: Server, gallery: str, subject_id: str, image: bytes, **fields: str) -> httpx.Response:
    """Store a photograph without the page."""
    data = {"subject_id": subject_id, "gallery": gallery, "on_several_faces": "largest", "on_duplicate": "allow"}
    answer = server.http.post("/gallery/enroll", data=data | fields, files={"image": image})
    return answer.raise_for_status()
