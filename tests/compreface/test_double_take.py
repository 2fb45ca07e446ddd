"""The requests of Double Take 1.13 (api/src/util/detectors/compreface.js), as axios and form-data write them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.compreface.conftest import CompreFaceServer
from tests.conftest import encoded

BOUNDARY = "--------------------------515890814546601021194782"

# Double Take's defaults, in per cent.
MATCH_CONFIDENCE, UNKNOWN_CONFIDENCE, MATCH_MIN_AREA = 60, 40, 10_000


class DoubleTake:
    """Its functions of the same names."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def recognize(self, data: bytes, *, face_plugins: str | None = None, test: bool = False) -> Any:
        # Where no plugins are configured, its template writes the word `undefined`.
        path = f"/api/v1/recognition/recognize?face_plugins={face_plugins or 'undefined'}"
        return self._post(f"{path}&det_prob_threshold={0.8 if test else 0.9}", data).json()

    def train(self, name: str, data: bytes) -> httpx.Response:
        return self._post(f"/api/v1/recognition/faces?subject={name}", data)

    def remove(self, name: str) -> httpx.Response:
        return self._http.delete(f"/api/v1/recognition/faces?subject={name}")

    def normalize(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        if not data.get("result"):
            if data["code"] == 28:
                return []
            raise RuntimeError(data["message"])
        return [self._face(found) for found in data["result"]]

    def _face(self, found: dict[str, Any]) -> dict[str, Any]:
        face = found["subjects"][0] if found["subjects"] else None
        confidence = round(face["similarity"] * 100, 2) if face else 0
        box = found["box"]
        area = (box["x_max"] - box["x_min"]) * (box["y_max"] - box["y_min"])
        return {
            "name": face["subject"].lower() if face and confidence >= UNKNOWN_CONFIDENCE else "unknown",
            "confidence": confidence,
            "match": confidence >= MATCH_CONFIDENCE and area >= MATCH_MIN_AREA,
        }

    def _post(self, path: str, data: bytes) -> httpx.Response:
        def body() -> Iterator[bytes]:  # a stream of unknown length, which axios sends in chunks
            yield f"--{BOUNDARY}\r\n".encode()
            yield b'Content-Disposition: form-data; name="file"; filename="7f2c.jpg"\r\n'
            yield b"Content-Type: image/jpeg\r\n\r\n"
            for start in range(0, len(data), 65_536):
                yield data[start : start + 65_536]
            yield f"\r\n--{BOUNDARY}--\r\n".encode()

        headers = {
            "Accept": "application/json, text/plain, */*",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "User-Agent": "axios/0.27.2",
        }
        return self._http.post(path, content=body(), headers=headers)


@pytest.fixture
def double_take(http: httpx.Client) -> DoubleTake:
    return DoubleTake(http)


def test_who_was_trained_is_a_match(double_take: DoubleTake, portrait: bytes, astronaut: Image.Image) -> None:
    closer = encoded(astronaut.rotate(4).crop((100, 10, 400, 310)).resize((600, 600)), quality=80)
    answer = double_take.train("Eileen", portrait)
    assert (answer.status_code, answer.json()["subject"]) == (201, "Eileen")
    for plugins in (None, "mask,gender,age"):
        (face,) = double_take.normalize(double_take.recognize(closer, face_plugins=plugins))
        assert (face["name"], face["match"]) == ("eileen", True)
        assert face["confidence"] > 95


def test_whoever_was_not_trained_is_unknown(double_take: DoubleTake, portrait: bytes) -> None:
    (face,) = double_take.normalize(double_take.recognize(portrait, test=True))
    assert face == {"name": "unknown", "confidence": 0, "match": False}


def test_a_photograph_without_a_face_has_no_results(double_take: DoubleTake, no_face: bytes) -> None:
    assert double_take.normalize(double_take.recognize(no_face)) == []


def test_training_on_what_is_no_photograph_fails_with_a_message(double_take: DoubleTake) -> None:
    answer = double_take.train("Eileen", b"not a photograph")
    assert (answer.status_code, answer.json()["code"]) == (400, 21)


def test_who_was_removed_is_unknown_again(double_take: DoubleTake, portrait: bytes) -> None:
    double_take.train("Eileen", portrait)
    assert double_take.remove("Eileen").json() == {"deleted": 1}
    assert double_take.remove("Eileen").json() == {"deleted": 0}
    (face,) = double_take.normalize(double_take.recognize(portrait))
    assert face["name"] == "unknown"


def test_a_wrong_key_is_told_with_a_message(compreface: CompreFaceServer, portrait: bytes) -> None:
    with compreface.http("wrong") as http:
        answer = DoubleTake(http).recognize(portrait)
        with pytest.raises(RuntimeError, match="API key is not known"):
            DoubleTake(http).normalize(answer)
