"""ONNX Runtime sessions that run where they say they run."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import onnxruntime as ort

from app.errors import ConfigurationError


class Device(StrEnum):
    """Where networks run."""

    CPU = "cpu"
    CUDA = "cuda"


_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
# TF32 rounds to 10 bits and would move distances away from those that the thresholds were calibrated with. The search
# for the fastest convolution is made anew for each size of photograph, so it must be the short one.
_CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
_PROVIDERS: dict[Device, list[Any]] = {Device.CPU: [_CPU], Device.CUDA: [(_CUDA, _CUDA_OPTIONS), _CPU]}
_FIRST = {Device.CPU: _CPU, Device.CUDA: _CUDA}


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
    if device is Device.CUDA:
        if _CUDA not in ort.get_available_providers():
            raise _refusal(device, ort.get_available_providers())
        ort.preload_dlls()  # CUDA and cuDNN of the nvidia-* packages, where those are installed
    try:
        # Without `enable_fallback=0` a CUDA that fails later is replaced by the CPU, with a line on standard output.
        session = ort.InferenceSession(path, options, providers=_PROVIDERS[device], enable_fallback=0)
    except Exception as error:
        raise ConfigurationError(f"{path} cannot be loaded: {error}", path=str(path)) from error
    if session.get_providers()[0] != _FIRST[device]:
        raise _refusal(device, session.get_providers())
    return session


def _refusal(device: Device, offered: list[str]) -> ConfigurationError:
    return ConfigurationError(
        f"device={device} was asked for, but ONNX Runtime offers {offered}: install onnxruntime-gpu with a matching "
        "CUDA, or set SAMEFACE_DEVICE=cpu",
        device=str(device),
        providers=offered,
    )
