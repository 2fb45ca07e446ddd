"""What counts as a match; docs/thresholds.md."""

from pydantic import BaseModel, Field


class DecisionSettings(BaseModel):
    """Of a verification and of an identification."""

    threshold: float | None = Field(
        None,
        ge=0,
        le=4,
        allow_inf_nan=False,
        description="Squared L2 distance below which `/verify` says yes; unset, the model card's default.",
    )
    fpir: float = Field(
        0.01,
        gt=0,
        le=1,
        description="Chance that a stranger is given any name at all by `/identify`, from which the threshold for a "
        "gallery's size follows.",
    )
