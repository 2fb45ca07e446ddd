"""The model card: what an embedder's ONNX file says about itself, in its metadata under `model_card`.

How to feed it (crop, colour order, normalisation), what its distances mean (operating points measured on impostor
pairs) and where it comes from. No preprocessing constant and no threshold exists anywhere else.
"""

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.domain import RateEstimate
from app.errors import ConfigurationError, FarNotSupported
from app.faces.crop import TEMPLATE_112, CropSpec

if TYPE_CHECKING:
    import onnxruntime as ort

METADATA_KEY = "model_card"

# Fewer false accepts than this behind a rate and the rate is a guess.
MIN_FALSE_ACCEPTS = 10


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CardInput(_Frozen):
    """float32 (n, 3, crop_px, crop_px); a channel value is (byte - mean) / std."""

    crop_px: int = Field(112, ge=16, le=1024)
    colour: str = Field("RGB", pattern="^(RGB|BGR)$")
    mean: float = 127.5
    std: float = Field(127.5, gt=0)
    template: tuple[tuple[float, float], ...] = Field(TEMPLATE_112, min_length=5, max_length=5)

    @property
    def spec(self) -> CropSpec:
        return CropSpec(self.crop_px, self.template)


class CardOperatingPoint(_Frozen):
    """Squared L2 threshold at a false-accept rate; `ci95` is the interval of the rate at that threshold."""

    far: float = Field(gt=0, lt=1)
    threshold: float = Field(ge=0, le=4)
    ci95: tuple[float, float]
    val: float | None = Field(None, ge=0, le=1, description="share of same-person pairs accepted at this threshold")


class CardCalibration(_Frozen):
    """Operating points, and the pairs behind them. Points are sorted by falling FAR and falling threshold."""

    data: str
    people: int = Field(ge=2)
    impostor_pairs: int = Field(ge=1)
    genuine_pairs: int = Field(ge=0)
    operating_points: tuple[CardOperatingPoint, ...] = Field(min_length=1)
    curve: tuple[CardOperatingPoint, ...] = Field(min_length=2, description="the distance-to-FAR curve, finer")

    @model_validator(mode="after")
    def _sorted(self) -> Self:
        for points in (self.operating_points, self.curve):
            fars = [p.far for p in points]
            thresholds = [p.threshold for p in points]
            if fars != sorted(fars, reverse=True) or thresholds != sorted(thresholds, reverse=True):
                raise ValueError("points must fall in FAR and threshold together")
        return self

    @property
    def min_far(self) -> float:
        """The smallest rate that the impostor pairs support."""
        return MIN_FALSE_ACCEPTS / self.impostor_pairs


class ModelCard(_Frozen):
    """Everything the service knows about its embedder."""

    id: str = Field(min_length=1, max_length=100)
    architecture: str
    embedding_size: int = Field(ge=2, le=4096)
    parameters: int = Field(ge=1)
    input: CardInput
    default_far: float = Field(gt=0, lt=1, description="the operating point used when a request names none")
    calibration: CardCalibration
    provenance: dict[str, Any] = Field(default_factory=dict, description="data, terms, training, overlap, commit")
    results: dict[str, Any] = Field(default_factory=dict, description="measured accuracy, with the protocol")
    sha256: str = Field("", description="of the ONNX file; filled in when it is loaded")

    @property
    def default_threshold(self) -> float:
        return self.threshold_at_far(self.default_far)

    def threshold_at_far(self, far: float) -> float:
        """Squared L2 threshold whose measured false-accept rate is `far`; raises FarNotSupported.

        Between two measured points the threshold is interpolated over log FAR; outside them it is refused.
        """
        points = self.calibration.curve
        low, high = points[-1].far, points[0].far
        if not low <= far <= high:
            raise FarNotSupported(
                f"FAR {far:g} is outside what the calibration supports: {low:g} to {high:g} "
                f"({self.calibration.impostor_pairs} impostor pairs)",
                field="far",
                min_far=low,
                max_far=high,
                impostor_pairs=self.calibration.impostor_pairs,
            )
        upper, lower = _around(points, [-p.far for p in points], -far)
        return _between(math.log(far), math.log(upper.far), upper.threshold, math.log(lower.far), lower.threshold)

    def far_at(self, squared_l2: float) -> RateEstimate | None:
        """Measured share of impostor pairs at or below this distance; None where the pairs cannot say."""
        points = self.calibration.curve
        if not points[-1].threshold <= squared_l2 <= points[0].threshold:
            return None
        upper, lower = _around(points, [-p.threshold for p in points], -squared_l2)

        def log_rate(above: float, below: float) -> float:
            # An interval's lower end may be zero, which has no logarithm: then interpolate on the rate itself.
            if min(above, below) <= 0:
                return _between(squared_l2, upper.threshold, above, lower.threshold, below)
            logs = math.log(above), math.log(below)
            return math.exp(_between(squared_l2, upper.threshold, logs[0], lower.threshold, logs[1]))

        interval = (log_rate(upper.ci95[0], lower.ci95[0]), log_rate(upper.ci95[1], lower.ci95[1]))
        return RateEstimate(log_rate(upper.far, lower.far), interval)


def read_card(session: "ort.InferenceSession", sha256: str) -> ModelCard:
    """The card inside a loaded ONNX file; raises ConfigurationError where it is missing or wrong."""
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ConfigurationError(f"the ONNX file has no `{METADATA_KEY}` in its metadata; export it with models.export")
    try:
        card = ModelCard.model_validate_json(text)
    except ValidationError as error:
        raise ConfigurationError(f"the ONNX file's model card is wrong: {error}") from error
    return card.model_copy(update={"sha256": sha256})


def _around(
    points: tuple[CardOperatingPoint, ...], keys: list[float], key: float
) -> tuple[CardOperatingPoint, CardOperatingPoint]:
    """The neighbouring points that enclose a key; keys ascend."""
    right = min(max(bisect_left(keys, key), 1), len(points) - 1)
    return points[right - 1], points[right]


def _between(x: float, x0: float, y0: float, x1: float, y1: float) -> float:
    return y0 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
