"""Run in a network namespace of its own by test_offline: serve, ask the requests in a file, print the answers."""

import errno
import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

URL = "http://127.0.0.1:8000"
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def bring_loopback_up() -> None:
    """A new namespace has nothing but a loopback that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh22x", b"lo", _UP_AND_RUNNING))


def check_that_nothing_else_is_there() -> None:
    """Raises where any address but this machine's own can be reached."""
    try:
        socket.create_connection(("192.0.2.1", 443), timeout=5).close()
    except OSError as error:
        if error.errno == errno.ENETUNREACH:
            return
        raise
    raise RuntimeError("there is a way out of the namespace")


def wait_until_ready(server: subprocess.Popen[bytes]) -> None:
    """Return once the service is ready."""
    while True:
        try:
            if json.loads(ask("/health/ready")[1])["status"] == "ready":
                return
        except OSError:
            if server.poll() is not None:
                raise RuntimeError("the service ended") from None
        time.sleep(0.1)


def ask(path: str, fields: object = None) -> tuple[int, str]:
    """Status and body."""
    body = None if fields is None else json.dumps(fields).encode()
    request = urllib.request.Request(URL + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.status, response.read().decode()


def main() -> None:
    bring_loopback_up()
    check_that_nothing_else_is_there()
    requests = json.loads(Path(sys.argv[1]).read_text())
    server = subprocess.Popen([sys.executable, "-m", "app.cli", "serve"])
    try:
        wait_until_ready(server)
        answers = {path: ask(path, fields) for path, fields in requests.items()}
    finally:
        server.terminate()
        server.wait()
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
