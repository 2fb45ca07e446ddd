"""Replicas behind the proxy as it is configured are restarted one after the other, and no request fails."""

import base64
import http.server
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.gallery.crash.photographs import photographs
from tests.processes import Server, free_port, serving

CADDYFILE = Path(__file__).parents[2] / "docker" / "proxy" / "Caddyfile"
DRAIN_SECONDS = "5"  # as in the image


@contextmanager
def proxy(folder: Path, upstreams: list[int]) -> Iterator[str]:
    """The address of Caddy with the committed configuration; skips where there is none."""
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed")
    site = f"http://127.0.0.1:{free_port()}"
    environment = os.environ | {
        "SITE": site,
        "UPSTREAMS": " ".join(f"127.0.0.1:{port}" for port in upstreams),
        "CADDY_ADMIN": f"unix/{folder}/admin.sock",
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    command = [caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    with (folder / "caddy.log").open("w") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            yield site
        finally:
            process.terminate()


def wait_for(site: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if httpx.get(f"{site}/health/ready", timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the proxy does not answer"
        time.sleep(0.1)


class Caller(threading.Thread):
    """Verifies until told to stop, over a connection that it keeps."""

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site, self._done = site, threading.Event()
        self.statuses: list[int] = []

    def run(self) -> None:
        photograph = base64.b64encode(photographs()[0]).decode()
        with httpx.Client(base_url=self._site, timeout=60) as http:
            while not self._done.is_set():
                self.statuses.append(
                    http.post("/verify", json={"image1": photograph, "image2": photograph}).status_code
                )

    def stop(self) -> None:
        self._done.set()
        self.join()


def test_a_rolling_restart_fails_no_request(tmp_path: Path) -> None:
    settings = {
        "SAMEFACE_DRAIN_SECONDS": DRAIN_SECONDS,
        "SAMEFACE_IMAGE_WORKERS": "1",
        "SAMEFACE_EMBEDDER_THREADS": "1",
    }
    with ExitStack() as running:
        replicas = [running.enter_context(serving(tmp_path / f"{number}.db", **settings)) for number in range(2)]
        site = running.enter_context(proxy(tmp_path, [replica.port for replica in replicas]))
        wait_for(site)
        caller = Caller(site)
        caller.start()
        try:
            for number, replica in enumerate(replicas):
                replica.stop()
                again = serving(tmp_path / f"{number}.db", port=replica.port, **settings)
                started: Server = running.enter_context(again)
                assert started.port == replica.port
                time.sleep(2.5)  # until the proxy has asked it for its health
        finally:
            caller.stop()
        assert len(caller.statuses) > 10
        assert set(caller.statuses) == {200}


def test_metrics_are_not_for_the_world_outside(tmp_path: Path) -> None:
    with serving(tmp_path / "sameface.db") as replica, proxy(tmp_path, [replica.port]) as site:
        wait_for(site)
        assert replica.http.get("/metrics").status_code == 200
        assert httpx.get(f"{site}/metrics").status_code == 404


class Named(http.server.BaseHTTPRequestHandler):
    """Says which replica it is."""

    def do_GET(self) -> None:
        said = str(self.server.server_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


def test_whoever_asks_for_groups_gets_to_the_same_replica(tmp_path: Path) -> None:
    with ExitStack() as replicas:
        servers = [replicas.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Named)) for _ in range(3)]
        for server in servers:
            threading.Thread(target=server.serve_forever).start()
            replicas.callback(server.shutdown)
        with proxy(tmp_path, [server.server_port for server in servers]) as site:
            wait_for(site)
            assert len({httpx.get(f"{site}/cluster/jobs/{number}").text for number in range(12)}) == 1
            assert len({httpx.get(f"{site}/galleries").text for _ in range(40)}) > 1


class HangsUp(http.server.BaseHTTPRequestHandler):
    """Healthy, and gone in the middle of every other request."""

    def do_GET(self) -> None:
        if self.path == "/health/ready":
            self.send_response(200)
            self.end_headers()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def test_what_fails_is_logged_without_its_key_and_its_subject(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HangsUp) as upstream:
        serving_forever = threading.Thread(target=upstream.serve_forever)
        serving_forever.start()
        try:
            with proxy(tmp_path, [upstream.server_port]) as site:
                wait_for(site)
                named = f"{site}/gallery/subjects/emp-0042"
                assert httpx.get(named, headers={"X-API-Key": "sameface_secret"}, timeout=60).status_code == 502
        finally:
            upstream.shutdown()
            serving_forever.join()
    log = (tmp_path / "caddy.log").read_text()
    assert '"status":502' in log
    assert "sameface_secret" not in log
    assert "emp-0042" not in log
