"""ONNX Runtime sessions that run where they say they run."""

from enum import StrEnum
from pathlib import Path

import onnxruntime as ort

from app.errors import ConfigurationError


class Device(StrEnum):
    """Where networks run."""

    CPU = "cpu"
    CUDA = "cuda"


_PROVIDERS = {Device.CPU: ["CPUExecutionProvider"], Device.CUDA: ["CUDAExecutionProvider", "CPUExecutionProvider"]}


def open_session(path: Path, *, device: Device = Device.CPU, threads: int = 1) -> ort.InferenceSession:
    """Load an ONNX file.

    `threads` is ONNX Runtime's intra-op pool for this session. Raises ConfigurationError where the file is missing
    or damaged, and where CUDA was asked for and is not there: ONNX Runtime itself would only warn and use the CPU.
    """
    if not path.is_file():
        raise ConfigurationError(f"no model file at {path}", path=str(path))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads that spin take cores away from the rest of the service.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(path, options, providers=_PROVIDERS[device])
    except Exception as error:
        raise ConfigurationError(f"{path} cannot be loaded: {error}", path=str(path)) from error
    if session.get_providers()[0] != _PROVIDERS[device][0]:
        raise ConfigurationError(
            f"device={device} was asked for, but ONNX Runtime offers {session.get_providers()}: install "
            "onnxruntime-gpu with a matching CUDA, or set SAMEFACE_DEVICE=cpu",
            device=str(device),
            providers=session.get_providers(),
        )
    return session
