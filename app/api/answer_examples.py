"""Examples of answers for the OpenAPI document, of those that do not have theirs beside the model, and their parts."""

from typing import Any

QUALITY: dict[str, Any] = {
    "acceptable": True,
    "reasons": [],
    "face_px": 157.0,
    "eye_distance_px": 68.6,
    "yaw_degrees": -4.2,
    "pitch_degrees": 3.1,
    "roll_degrees": 1.0,
    "sharpness": 0.342,
    "brightness": 0.517,
    "contrast": 0.148,
    "confidence": 0.9997,
    "outside_share": 0.0,
    "required": {},
}
FACE: dict[str, Any] = {
    "box": {"left": 48.0, "top": 12.0, "right": 205.0, "bottom": 219.0},
    "confidence": 0.9997,
    "landmarks": [[92.1, 84.0], [160.7, 85.2], [126.0, 127.9], [97.5, 165.3], [154.8, 166.0]],
    "face_px": 157.0,
    "quality": QUALITY,
}
MODEL: dict[str, Any] = {"id": "facenet-nn2-128", "sha256": "9f2c...e1"}
_FACE_ID = "6f1e7c1c-3b0e-4b43-9c55-3d7b5d2f7c11"
_DECISION = {
    "verified": True,
    "distance": 0.62,
    "threshold": 1.1,
    "far": 0.001,
    "similarity": 0.69,
    "distance_far": {"estimate": 2.1e-5, "ci95": [1.2e-5, 3.9e-5]},
}
_TOOK_MS = {"decode": 3.0, "detect": 9.0, "embed": 6.0, "total": 19.0}

# Name of the schema to its example; a test checks each against its model.
EXAMPLES: dict[str, dict[str, Any]] = {
    "VerifyResponse": {
        **_DECISION,
        "face1": {**FACE, "faces_found": 1},
        "face2": {**FACE, "faces_found": 2},
        "model": MODEL,
        "took_ms": _TOOK_MS,
    },
    "SubjectVerifyResponse": {
        **_DECISION,
        "face": {**FACE, "faces_found": 1},
        "subject": {"subject_id": "emp-0042", "name": "A. Lee", "face_id": _FACE_ID},
        "gallery": "default",
        "model": MODEL,
        "took_ms": _TOOK_MS,
    },
    "IdentifyResponse": {
        "gallery": {"name": "default", "revision": 18_231, "subjects": 10_234, "faces": 24_110},
        "threshold": 0.83,
        "fpir": 0.01,
        "calibrated": True,
        "faces": [
            {
                **FACE,
                "status": "identified",
                "candidates": [
                    {"subject_id": "emp-0042", "name": "A. Lee", "distance": 0.41, "face_id": _FACE_ID, "rank": 1}
                ],
            },
            {**FACE, "status": "unknown", "candidates": []},
        ],
        "faces_found": 2,
        "model": MODEL,
        "took_ms": {**_TOOK_MS, "search": 0.4},
    },
    "EnrollResponse": {
        "subject_id": "emp-0042",
        "created": True,
        "indexed": True,
        "revision": 18_232,
        "faces": [
            {
                **FACE,
                "faces_found": 1,
                "face_id": _FACE_ID,
                "image": 0,
                "status": "enrolled",
                "existed": False,
                "own_distance": 0.44,
                "outlier": False,
            },
            {
                "image": 1,
                "status": "rejected",
                "reasons": ["blurred", "extreme_pose"],
                "detail": "the quality of the face is too low: sharpness is 0.07, at least 0.13 is required; "
                "yaw_degrees is 58, at most 50 is required",
                "measured": {"sharpness": 0.07, "yaw_degrees": 58.0},
                "required": {"sharpness": 0.13, "yaw_degrees": 50.0},
            },
        ],
        "duplicates": [{"subject_id": "emp-0917", "distance": 0.37}],
        "took_ms": _TOOK_MS,
    },
}
