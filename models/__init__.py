"""How the served ONNX files are made: networks, training, evaluation, calibration, export. PyTorch lives here."""
