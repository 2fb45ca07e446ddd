"""ONNX Runtime reports nothing to anybody: where it does, it keeps an id and its events in the home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.conftest import WEIGHTS

APPLICATION = "from app.faces.runtime import open_session; open_session(Path(sys.argv[1]))"
TRAINING = "import models, onnxruntime as ort; ort.InferenceSession(sys.argv[1])"


@pytest.mark.parametrize("script", [APPLICATION, TRAINING], ids=["app", "models"])
def test_a_session_leaves_nothing_in_the_home_folder(tmp_path: Path, script: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [
        sys.executable,
        "-c",
        f"import sys; from pathlib import Path; {script}",
        str(WEIGHTS / "mtcnn_pnet.onnx"),
    ]
    subprocess.run(command, env=environment, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []
