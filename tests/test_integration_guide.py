"""The examples of the integrator's guide, run as they stand there against a running service."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import Server, environment

GUIDE = (Path(__file__).parent.parent / "docs" / "integration.md").read_text("utf-8")
INTERPRETERS = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-W", "error", "-c"],
    "js": ["node", "--input-type=module", "-e"],
}


@pytest.fixture
def folder(tmp_path: Path, portrait: bytes, portrait_again: bytes) -> Path:
    """A folder with the photographs that the examples name."""
    for name in ("one", "lee1", "door"):
        (tmp_path / f"{name}.jpg").write_bytes(portrait)
    for name in ("other", "lee2"):
        (tmp_path / f"{name}.jpg").write_bytes(portrait_again)
    return tmp_path


@pytest.mark.parametrize("language", INTERPRETERS)
def test_the_examples_run(language: str, server: Server, folder: Path) -> None:
    program = INTERPRETERS[language][0]
    if shutil.which(program) is None or (language == "sh" and shutil.which("curl") is None):
        pytest.skip(f"{program} or curl is not installed")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        script = block.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
        ended = subprocess.run(
            [*INTERPRETERS[language], script],
            cwd=folder,
            env=environment(folder / "unused.db", PYTHONPATH=str(Path(__file__).parent.parent)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, ""), f"{block}\n{ended.stdout}"
        assert ended.stdout.strip(), block


def test_the_guide_has_examples_in_every_language() -> None:
    assert set(re.findall(r"^```(\w+)$", GUIDE, flags=re.MULTILINE)) == set(INTERPRETERS)
