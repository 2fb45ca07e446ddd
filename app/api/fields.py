"""The fields of requests: their names and aliases, bounds and defaults. OpenAPI shows these models."""

import base64
import binascii
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError, from_json

from app.domain import DEFAULT_GALLERY, DuplicatePolicy, FaceChoice, SubjectChanges
from app.errors import BadRequest
from app.gallery.checks import check_new_subject_id

MAX_PARTS = 200  # of a form; members of a JSON object; images of a list
# Lists, objects and their members at any depth, and as many more as texts have commas. Base64 has none.
_MAX_JSON_MEMBERS = 200_000

# No control characters: they hide in logs and terminals, and PostgreSQL has no NUL.
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]+$"


def read_json(text: str | bytes) -> Any:
    """JSON without infinities. Raises ValueError for what is none, and BadRequest for what has too many members.

    They are counted before anything is made of them: as Python's objects they take a hundred times their bytes, and
    seconds of the event loop.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    members = sum(map(data.count, (b"[", b"{", b",")))
    if members > _MAX_JSON_MEMBERS:
        raise BadRequest(f"the JSON has some {members:,} members; the limit is {_MAX_JSON_MEMBERS:,}")
    return from_json(text, allow_inf_nan=False)


def _image_bytes(value: Any) -> bytes:
    """An uploaded file as it is; text as base64, plain or as a data URI."""
    if isinstance(value, bytes):
        data = value
    elif isinstance(value, str):
        data = _from_base64(value)
    elif isinstance(value, list):
        raise PydanticCustomError(
            "image", "this field takes one image and was given {given} times", {"given": len(value)}
        )
    else:
        raise PydanticCustomError("image", "an image is a file or a base64 string")
    if not data:
        raise PydanticCustomError("image", "the image is empty")
    return data


def _from_base64(text: str) -> bytes:
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError(
            "image", "this is neither a file nor base64; with curl, a file is -F name=@photograph.jpg"
        ) from None


def _list_of_one(value: Any) -> Any:
    if not isinstance(value, list):
        return [value]
    if len(value) > MAX_PARTS:
        reason = {"given": len(value), "limit": MAX_PARTS}
        raise PydanticCustomError("images", "there are {given} images; the limit is {limit}", reason)
    return value


def _no_boolean(value: Any) -> Any:
    # true would pass for 1.0.
    if isinstance(value, bool):
        raise PydanticCustomError("number", "a number is wanted, not a boolean")
    return value


def _fit_for_a_path(subject_id: str) -> str:
    try:
        return check_new_subject_id(subject_id)
    except BadRequest as error:
        raise PydanticCustomError("subject_id", "{reason}", {"reason": error.message}) from None


def _json_object(value: Any) -> Any:
    """Forms carry metadata as JSON text."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return read_json(value)
    except BadRequest as error:
        raise PydanticCustomError("metadata", "{reason}", {"reason": error.message}) from None
    except ValueError as error:
        raise PydanticCustomError("metadata", "metadata is not JSON: {reason}", {"reason": str(error)}) from None


Image = Annotated[
    bytes,
    BeforeValidator(_image_bytes, json_schema_input_type=str),
    Field(json_schema_extra={"type": "string", "format": "binary"}),
]
Images = Annotated[list[Image], BeforeValidator(_list_of_one), Field(min_length=1)]
Metadata = Annotated[dict[str, Any], BeforeValidator(_json_object)]
Threshold = Annotated[float, Field(ge=0, le=4, allow_inf_nan=False), BeforeValidator(_no_boolean)]
Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), BeforeValidator(_no_boolean)]
TopK = Annotated[int, Field(ge=1), BeforeValidator(_no_boolean)]
MaxFaces = Annotated[int, Field(ge=0, le=100), BeforeValidator(_no_boolean)]
Revision = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_no_boolean)]
GalleryName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
SubjectId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_PRINTABLE)]
NewSubjectId = Annotated[SubjectId, AfterValidator(_fit_for_a_path)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_PRINTABLE)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GalleryFields(_Body):
    """A gallery to be made."""

    name: GalleryName = Field(examples=["staff"])


class SubjectChangeFields(_Body):
    """What to change of a subject."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Name | None = None
    metadata: Metadata = Field(default_factory=dict, description="a JSON object; in a form, as text")
    expires_at: AwareDatetime | None = Field(
        None, description="when the subject is to be erased, ISO 8601 with a time zone; null: never"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("changes", "give name, metadata or expires_at")
        return self

    @property
    def changes(self) -> SubjectChanges:
        """The fields that were given."""
        return cast("SubjectChanges", self.model_dump(exclude_unset=True))


class _Comparison(_Body):
    """How two faces are compared: at most one of `threshold` and `far`."""

    threshold: Threshold | None = Field(None, description="squared L2 distance below which faces match")
    far: Rate | None = Field(None, description="wanted false-accept rate of the comparison; chooses the threshold")
    face: Literal["largest", "only"] = Field("largest", description="which face stands for a photograph of several")

    @property
    def choice(self) -> FaceChoice:
        return FaceChoice(self.face)


class VerifyFields(_Comparison):
    """Two photographs, and at most one of `threshold` and `far`."""

    image1: Image = Field(validation_alias=AliasChoices("image1", "img1", "source_image"))
    image2: Image = Field(validation_alias=AliasChoices("image2", "img2", "target_image"))


class FacesFields(_Body):
    """One photograph."""

    image: Image = Field(validation_alias=AliasChoices("image", "img", "file"))
    max_faces: MaxFaces = Field(0, description="most faces answered for, largest first; 0 is all")


class ClusterFields(_Body):
    """Photographs, and at most one of `threshold` and `far`."""

    image: Images = Field(validation_alias=AliasChoices("image", "images", "img", "file"))
    method: Literal["agglomerative", "dbscan"] = Field(
        "agglomerative",
        description="`agglomerative` joins groups whose mean distance is below the threshold; `dbscan` joins whoever "
        "resembles any face of a group",
    )
    max_faces: MaxFaces = Field(0, description="most faces of each photograph, largest first; 0 is all")
    threshold: Threshold | None = Field(None, description="squared L2 distance below which faces match")
    far: Rate | None = Field(None, description="wanted false-accept rate of one comparison; chooses the threshold")


class SubjectVerifyFields(_Comparison):
    """One photograph, and at most one of `threshold` and `far`."""

    image: Image = Field(validation_alias=AliasChoices("image", "img", "file"))


class IdentifyFields(_Body):
    """One photograph, and at most one of `threshold` and `fpir`."""

    image: Image = Field(validation_alias=AliasChoices("image", "img", "file"))
    gallery: GalleryName = DEFAULT_GALLERY
    top_k: TopK = Field(5, description="most candidates for a face")
    max_faces: MaxFaces = Field(1, description="most faces looked up, largest first; 0 is all")
    threshold: Threshold | None = Field(None, description="squared L2 distance below which faces match")
    fpir: Rate | None = Field(
        None,
        description="wanted chance that a stranger is given any name; chooses the threshold for the gallery's size",
    )
    min_revision: Revision | None = Field(
        None,
        description="a revision that an answer about the gallery named; this one is made from it or a later one, or "
        "is 503 `not_ready` where this replica does not get there in time",
    )


class EnrollFields(_Body):
    """Photographs of one subject."""

    subject_id: NewSubjectId
    image: Images = Field(validation_alias=AliasChoices("image", "img", "file"))
    gallery: GalleryName = DEFAULT_GALLERY
    name: Name | None = None
    metadata: Metadata | None = Field(None, description="a JSON object; in a form, as text")
    expires_at: AwareDatetime | None = Field(
        None, description="when the subject is to be erased, ISO 8601 with a time zone; left out, it stays as it is"
    )
    on_several_faces: Literal["reject", "largest"] = Field(
        "reject", description="what becomes of a photograph that shows several faces"
    )
    on_duplicate: Literal["report", "reject", "allow"] = Field(
        "report", description="what happens when the face already belongs to another subject"
    )

    @property
    def choice(self) -> FaceChoice:
        return FaceChoice.LARGEST if self.on_several_faces == "largest" else FaceChoice.ONLY

    @property
    def duplicate_policy(self) -> DuplicatePolicy:
        return DuplicatePolicy(self.on_duplicate)
