"""What the served model says of itself."""

from typing import Any

from app.client.results.result import Result


class OperatingPoint(Result):
    """A squared L2 threshold and its measured rates; `val` is the share of same-person pairs accepted."""

    far: float
    threshold: float
    ci95: tuple[float, float]
    val: float | None = None


class Calibration(Result):
    """The pairs behind the operating points."""

    data: str
    people: int
    impostor_pairs: int
    genuine_pairs: int
    operating_points: list[OperatingPoint]
    curve: list[OperatingPoint]


class ModelCard(Result):
    """What the served model says of itself."""

    id: str
    sha256: str
    architecture: str
    embedding_size: int
    parameters: int
    input: dict[str, Any]
    default_far: float
    calibration: Calibration
    provenance: dict[str, Any]
    results: dict[str, Any]
