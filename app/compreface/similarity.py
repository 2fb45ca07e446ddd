"""CompreFace's similarity from our distance, so that the thresholds of its clients keep a meaning.

CompreFace computes (tanh((c0 - d) * c1) + 1) / 2 of the Euclidean distance d between unit embeddings, with two
coefficients for each of its models (EuclideanDistanceClassifier.java; 1.18 and 5.29 for its default model). Here the
coefficients follow from the calibration of the served model: 0.5, which CompreFace says most right guesses exceed, is
where 1 in 100 strangers would pass, and 0.9 where 1 in 10,000 would.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from app.errors import ConfigurationError, FarNotSupported

if TYPE_CHECKING:
    from app.faces.card import ModelCard

FAR_AT_HALF = 1e-2
FAR_AT_NINE_TENTHS = 1e-4

_DIGITS = 5  # as many as CompreFace answers


@dataclass(frozen=True, slots=True)
class SimilarityCurve:
    """Similarity, 0 to 1, as a falling function of the distance: 0.5 at Euclidean distance `middle`."""

    middle: float
    slope: float

    @classmethod
    def of(cls, card: "ModelCard") -> Self:
        """The curve through the two rates of a model's calibration. Raises FarNotSupported."""
        middle = math.sqrt(card.threshold_at_far(FAR_AT_HALF))
        strict = math.sqrt(card.threshold_at_far(FAR_AT_NINE_TENTHS))
        return cls(middle, math.atanh(2 * 0.9 - 1) / (middle - strict))

    def at(self, squared_l2: float) -> float:
        """The similarity at a squared L2 distance, rounded as CompreFace rounds it."""
        return round((math.tanh((self.middle - math.sqrt(squared_l2)) * self.slope) + 1) / 2, _DIGITS)

    def squared_l2(self, similarity: float) -> float:
        """The squared L2 distance that has a similarity, which is between 0 and 1."""
        distance = self.middle - math.atanh(2 * similarity - 1) / self.slope
        return min(max(distance, 0.0) ** 2, 4.0)


def check_calibration(card: "ModelCard") -> None:
    """Raises ConfigurationError for a model whose calibration cannot say what a similarity means."""
    try:
        SimilarityCurve.of(card)
    except FarNotSupported as error:
        raise ConfigurationError(
            f"SAMEFACE_COMPREFACE needs a model that is calibrated at FAR {FAR_AT_HALF:g} and "
            f"{FAR_AT_NINE_TENTHS:g}, and that of {card.id} is not: {error.message}"
        ) from None
