"""What is required of a face to be enrolled; docs/quality.md."""

from pydantic import BaseModel, Field


class QualitySettings(BaseModel):
    """A bound for each measure of `app.domain.FaceQuality`."""

    quality_min_face_px: float = Field(
        24.0, ge=0, description="Shorter side of the smallest face that may be enrolled, in pixels of the photograph."
    )
    quality_min_eye_distance_px: float = Field(
        12.0, ge=0, description="Least distance between the eyes of a face that may be enrolled, in pixels."
    )
    quality_max_yaw_degrees: float = Field(
        50.0, ge=0, le=180, description="Farthest turn to the left or right of a face that may be enrolled."
    )
    quality_max_pitch_degrees: float = Field(
        45.0, ge=0, le=180, description="Farthest turn up or down of a face that may be enrolled."
    )
    quality_max_roll_degrees: float = Field(
        75.0, ge=0, le=180, description="Farthest tilt of a face that may be enrolled."
    )
    quality_min_sharpness: float = Field(
        0.13,
        ge=0,
        description="Least sharpness of a face that may be enrolled: deviation of the Laplacian over the luma's.",
    )
    quality_min_brightness: float = Field(
        0.08, ge=0, le=1, description="Least brightness of a face that may be enrolled: the mean of its luma, 0 to 1."
    )
    quality_max_brightness: float = Field(
        0.94, ge=0, le=1, description="Greatest brightness of a face that may be enrolled."
    )
    quality_min_contrast: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Least contrast of a face that may be enrolled: the deviation of its luma.",
    )
    quality_min_confidence: float = Field(
        0.95, ge=0, le=1, description="Least confidence of the detector in a face that may be enrolled."
    )
    quality_max_outside_share: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Greatest share of the crop of a face that may be enrolled which the photograph's frame cuts off.",
    )
