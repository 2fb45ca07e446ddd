"""An example of each problem document, as the OpenAPI document shows it; a test holds the table complete."""

from typing import Any

from app.api.problems import STATUS, document

_REQUEST_ID = "0f8fad5bd9cb469fa16570867728950e"

# Code to the sentence, the field and the facts of a real answer.
_EXAMPLES: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "bad_request": (
        "threshold: Input should be less than or equal to 4",
        "threshold",
        {"errors": [{"field": "threshold", "message": "Input should be less than or equal to 4"}]},
    ),
    "unauthenticated": ("this needs an API key, in X-API-Key or as a bearer token", None, {"reason": "missing"}),
    "forbidden": ("the API key 3f9a lacks the scope enroll", None, {"scopes_needed": ["enroll"], "scopes": ["verify"]}),
    "subject_not_found": ("there is no such subject in this gallery", "subject_id", {"subject_id": "emp-0042"}),
    "gallery_not_found": ("there is no such gallery", "gallery", {"gallery": "staff"}),
    "face_not_found": (
        "there is no such face in this gallery",
        "face_id",
        {"face_id": "6f1e7c1c-3b0e-4b43-9c55-3d7b5d2f7c11"},
    ),
    "job_not_found": (
        "there is no such job here: it has expired, was deleted, or was lost in a restart",
        "job_id",
        {},
    ),
    "crop_not_kept": (
        "no crop of this face is stored, only its embedding",
        "face_id",
        {"face_id": "6f1e7c1c-3b0e-4b43-9c55-3d7b5d2f7c11"},
    ),
    "duplicate_identity": (
        "the face already belongs to 'emp-0917' at distance 0.371",
        "image",
        {"threshold": 0.83, "duplicates": [{"subject_id": "emp-0917", "distance": 0.371}]},
    ),
    "idempotency_conflict": (
        "this Idempotency-Key came with another request before; give each request a key of its own",
        "Idempotency-Key",
        {},
    ),
    "model_mismatch": ("the embeddings are of another model", None, {"model": "facenet-nn2-128"}),
    "image_too_large": (
        "the request body has more than 20000000 bytes",
        None,
        {"max_request_bytes": 20_000_000},
    ),
    "unsupported_format": ("not an image format that is read: JPEG, PNG, WebP, BMP, TIFF", "image", {}),
    "unreadable_image": ("the file is a JPEG but damaged", "image", {"format": "JPEG"}),
    "no_face": ("no face was found in the photograph", "image", {"faces_found": 0}),
    "several_faces": ("3 faces were found where one is wanted", "image", {"faces_found": 3}),
    "low_quality": (
        "none of the 2 images can be enrolled",
        "image",
        {
            "images": [
                {"image": 0, "reasons": ["no_face"], "detail": "no face was found in the image", "faces_found": 0},
                {
                    "image": 1,
                    "reasons": ["blurred"],
                    "detail": "the quality of the face is too low: sharpness is 0.07, at least 0.13 is required",
                    "measured": {"sharpness": 0.07},
                    "required": {"sharpness": 0.13},
                },
            ]
        },
    ),
    "far_not_supported": (
        "FAR 1e-09 is outside what the calibration supports: 1e-06 to 0.1",
        "far",
        {"min_far": 1e-06, "max_far": 0.1},
    ),
    "rate_limited": ("the API key 3f9a may ask 60 times a minute", None, {"retry_after_seconds": 12}),
    "overloaded": (
        "64 requests are being worked on; try again shortly",
        None,
        {"max_requests_in_flight": 64},
    ),
    "not_ready": ("the database does not answer", None, {}),
    "deadline_exceeded": ("the request took longer than 30 s", None, {"request_deadline_seconds": 30.0}),
}


def example_of(code: str) -> dict[str, Any]:
    """A problem document with this code. Raises KeyError for a code that no answer carries."""
    detail, field, facts = _EXAMPLES[code]
    return {**document(STATUS[code], code, detail, field, facts), "request_id": _REQUEST_ID}
