"""The only place that knows pixels: decode -> detect -> choose -> crop -> embed."""

import os

# The official builds of ONNX Runtime report to Microsoft how they are used, and keep an id of the machine in the home
# folder, unless this is set before they are loaded (Privacy.md in its package).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
