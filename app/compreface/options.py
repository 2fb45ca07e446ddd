"""The query parameters and photographs that CompreFace's requests have in common.

As in CompreFace, what is not known is passed over: clients send plugins and fields that are not for this service.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.api.fields import Image

# CompreFace has no more of them in a name than 50; what it refuses in one is fine here.
SubjectName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"\S")]


class DetectionOptions(BaseModel):
    """How faces are looked for."""

    det_prob_threshold: float = Field(
        0.0, ge=0, le=1, description="faces of which the detector is less sure are passed over"
    )


class FaceOptions(DetectionOptions):
    """How faces are looked for, and what is answered of each."""

    limit: int = Field(0, ge=0, le=2**31, description="most faces, the largest first; 0 is all")
    face_plugins: str = Field("", max_length=1000, description="`calculator`, `landmarks`; others are passed over")
    status: bool = Field(False, description="answer execution_time and plugins_versions too")

    @property
    def plugins(self) -> set[str]:
        """The plugins that were asked for."""
        return {name.strip() for name in self.face_plugins.split(",")}


class RecognitionOptions(FaceOptions):
    """The same, and how many subjects are answered for each face."""

    prediction_count: int = Field(1, ge=1, le=2**31, description="most subjects for a face, the most similar first")


class _Photographs(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ImageFile(_Photographs):
    """One photograph: a file in a form, or base64 in JSON."""

    file: Image


class SourceAndTarget(_Photographs):
    """Two photographs: files in a form, or base64 in JSON."""

    source_image: Image
    target_image: Image
