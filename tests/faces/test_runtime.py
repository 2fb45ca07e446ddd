"""Sessions that run where they say they run, or not at all."""

from pathlib import Path

import onnxruntime as ort
import pytest

from app.errors import ConfigurationError
from app.faces.runtime import Device, open_session
from tests.faces.conftest import WEIGHTS


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.onnx"):
        open_session(tmp_path / "absent.onnx")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes((WEIGHTS / "mtcnn_pnet.onnx").read_bytes()[:5000])
    with pytest.raises(ConfigurationError, match=r"damaged\.onnx cannot be loaded"):
        open_session(tmp_path / "damaged.onnx")


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="CUDA is here")
def test_cuda_that_is_not_there_is_refused_and_not_replaced_by_the_cpu() -> None:
    with pytest.raises(ConfigurationError, match="SAMEFACE_DEVICE=cpu"):
        open_session(WEIGHTS / "mtcnn_pnet.onnx", device=Device.CUDA)


def test_a_session_does_not_fall_back_to_another_provider_when_its_own_fails() -> None:
    assert not open_session(WEIGHTS / "mtcnn_pnet.onnx")._enable_fallback


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="CUDA is here")
@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider' is not in available:UserWarning")
def test_cuda_that_is_built_in_but_cannot_be_loaded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As onnxruntime-gpu does without a driver: it offers CUDA, then makes a session on the CPU and says nothing."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    with pytest.raises(ConfigurationError, match="SAMEFACE_DEVICE=cpu"):
        open_session(WEIGHTS / "mtcnn_pnet.onnx", device=Device.CUDA)
