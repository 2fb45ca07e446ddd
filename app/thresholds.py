"""Which distance decides: an explicit threshold, or the operating point of the risk that was asked for.

One comparison accepts a stranger with the probability FAR. An identification compares a stranger with every face of
the gallery, so the chance that any name comes back (FPIR) is about FAR times the number of faces: the threshold of
an identification follows from `fpir / faces`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.errors import BadRequest, FarNotSupported

if TYPE_CHECKING:
    from app.faces.card import ModelCard


_ROUNDED = 1 - 1e-9  # the least FPIR that was told, divided by the faces again, may be a little less


@dataclass(frozen=True, slots=True)
class VerificationThreshold:
    """Squared L2 threshold of one comparison and its FAR; None where the calibration does not say."""

    squared_l2: float
    far: float | None


@dataclass(frozen=True, slots=True)
class IdentificationThreshold:
    """Squared L2 threshold for a gallery, and the FPIR that it gives at the gallery's size.

    `calibrated` is false where the FPIR wanted, or that of an explicit threshold, is not supported by the model's
    calibration; `fpir` is None where it is not known at all.
    """

    squared_l2: float
    fpir: float | None
    calibrated: bool


class Thresholds:
    """The thresholds of one model as the service is configured."""

    def __init__(self, card: "ModelCard", *, default: float | None, default_fpir: float) -> None:
        """`default`: squared L2 of verifications, instead of the card's."""
        self._card, self._default, self._default_fpir = card, default, default_fpir

    def verification(self, threshold: float | None = None, far: float | None = None) -> VerificationThreshold:
        """See `for_verification`."""
        return for_verification(self._card, threshold=threshold, far=far, default=self._default)

    def identification(
        self, faces: int, threshold: float | None = None, fpir: float | None = None
    ) -> IdentificationThreshold:
        """See `for_identification`."""
        return for_identification(
            self._card, faces=faces, threshold=threshold, fpir=fpir, default_fpir=self._default_fpir
        )


def for_verification(
    card: "ModelCard", *, threshold: float | None, far: float | None, default: float | None
) -> VerificationThreshold:
    """`threshold` or `far` as asked, else `default`, else the card's. Raises BadRequest or FarNotSupported."""
    at_most_one("threshold", threshold, "far", far)
    if far is not None:
        return VerificationThreshold(card.threshold_at_far(far), far)
    for chosen in (threshold, default):
        if chosen is not None:
            return VerificationThreshold(chosen, _far_of(card, chosen))
    return VerificationThreshold(card.default_threshold, card.default_far)


def for_identification(
    card: "ModelCard", *, faces: int, threshold: float | None, fpir: float | None, default_fpir: float
) -> IdentificationThreshold:
    """The threshold for a gallery of `faces` faces.

    An explicit `fpir` that the calibration cannot support raises FarNotSupported; the default falls back to the
    smallest supported FAR and says that it is not calibrated. A rate above the largest supported one is met by the
    threshold of the largest, which is stricter. Raises BadRequest when threshold and fpir are both given.
    """
    at_most_one("threshold", threshold, "fpir", fpir)
    compared = max(faces, 1)
    if threshold is not None:
        far = _far_of(card, threshold)
        return IdentificationThreshold(threshold, _fpir(far, compared), calibrated=far is not None)
    wanted = (default_fpir if fpir is None else fpir) / compared
    smallest, largest = _supported(card)
    supported = wanted >= smallest * _ROUNDED
    if not supported and fpir is not None:
        raise _not_supported(card, fpir, compared, smallest)
    far = min(max(wanted, smallest), largest)
    return IdentificationThreshold(card.threshold_at_far(far), _fpir(far, compared), calibrated=supported)


def at_most_one(name: str, value: float | None, other_name: str, other: float | None) -> None:
    """Raise BadRequest where both are given."""
    if value is not None and other is not None:
        raise BadRequest(f"give {name} or {other_name}, not both", field=other_name)


def _far_of(card: "ModelCard", threshold: float) -> float | None:
    rate = card.far_at(threshold)
    return None if rate is None else rate.estimate


def _fpir(far: float | None, faces: int) -> float | None:
    """The union bound, which is what the choice of the threshold used."""
    return None if far is None else min(far * faces, 1.0)


def _supported(card: "ModelCard") -> tuple[float, float]:
    curve = card.calibration.curve
    return curve[-1].far, curve[0].far


def _not_supported(card: "ModelCard", fpir: float, faces: int, smallest: float) -> FarNotSupported:
    least = smallest * faces
    here = f"which is FPIR {_no_less(least)} here" if least <= 1 else "which among so many faces is no FPIR at all"
    return FarNotSupported(
        f"FPIR {fpir:g} among {faces} faces needs FAR {fpir / faces:.3g} for one comparison; the calibration supports "
        f"{_no_less(smallest)} and above, {here}",
        field="fpir",
        faces=faces,
        min_far=smallest,
        impostor_pairs=card.calibration.impostor_pairs,
        **({"min_fpir": least} if least <= 1 else {}),
    )


def _no_less(rate: float) -> str:
    """Three digits of a rate, rounded up: whoever asks for what was told is not refused again."""
    shown = f"{rate:.3g}"
    return shown if float(shown) >= rate else f"{rate * 1.005:.3g}"
