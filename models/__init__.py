"""How the served ONNX files are made: networks, training, evaluation, calibration, export. PyTorch lives here."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # app/faces/__init__.py says why
