"""Whatever is sent, the answer is a 4xx problem document: malformed, mislabelled, oversized or absurd."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import Client

BOUNDARY = "multipart/form-data; boundary=b"
TINY = base64.b64encode(b"x").decode()
DEEP = "[" * 100_000


def part(name: str, value: str, *, filename: str | None = None) -> str:
    file = f'; filename="{filename}"' if filename else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n'


BODIES: dict[str, tuple[str | None, bytes]] = {
    "no body": (None, b""),
    "no content type": (None, b"{}"),
    "text": ("text/plain", b"hello"),
    "a bare photograph": ("image/jpeg", b"\xff\xd8\xff"),
    "urlencoded": ("application/x-www-form-urlencoded", b"image1=a&image2=b"),
    "xml": ("application/xml", b"<a/>"),
    "a nonsensical content type": (";;;=", b"x"),
    "empty json": ("application/json", b""),
    "broken json": ("application/json", b'{"image1": '),
    "json that is no object": ("application/json", b"[1, 2]"),
    "json null": ("application/json", b"null"),
    "json not in utf-8": ("application/json", b'{"image1": "\xff\xfe"}'),
    "deep json": ("application/json", DEEP.encode()),
    "half a surrogate pair": ("application/json", b'{"image1": "\\ud800", "image2": "\\ud800"}'),
    "not a number": ("application/json", b'{"image1": "", "threshold": NaN}'),
    "no boundary": ("multipart/form-data", b"--b--"),
    "an empty form": (BOUNDARY, b"--b--\r\n"),
    "a form cut short": (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="image1"; filename="a"\r\n\r\nabc'),
    "a form that is none": (BOUNDARY, b"complete rubbish"),
    "a part without a name": (BOUNDARY, b"--b\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--b--\r\n"),
    "a part without headers": (BOUNDARY, b"--b\r\n\r\nabc\r\n--b--\r\n"),
    "a charset that takes quadratic time": (BOUNDARY + "; charset=punycode", b"--b--\r\n"),
    "a charset that is none": (BOUNDARY + "; charset=zlib", b"--b--\r\n"),
    "many parts": (BOUNDARY, ("".join(part(f"f{i}", "x") for i in range(1000)) + "--b--\r\n").encode()),
    "many files": (BOUNDARY, ("".join(part("image1", "x", filename="a") for _ in range(1000)) + "--b--\r\n").encode()),
    "empty files": (BOUNDARY, (part("image1", "", filename="a") + part("image2", "", filename="b") + "--b--").encode()),
    "a path instead of a file": (
        BOUNDARY,
        (part("image1", "/etc/passwd") + part("image2", "@a.jpg") + "--b--").encode(),
    ),
    "an address instead of a file": ("application/json", b'{"image1": "http://127.0.0.1/", "image2": "file:///a"}'),
}


def assert_client_error(response: httpx.Response) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert 400 <= response.status_code < 500, document
    assert response.headers["content-type"] == "application/problem+json"
    assert document.keys() >= {"type", "title", "status", "detail", "code", "request_id"}
    assert "Traceback" not in response.text
    return document


@pytest.mark.parametrize("path", ["/verify", "/identify", "/gallery/enroll"])
@pytest.mark.parametrize("body", BODIES)
def test_a_hostile_body(client: Client, path: str, body: str) -> None:
    content_type, content = BODIES[body]
    headers = {} if content_type is None else {"content-type": content_type}
    assert_client_error(client.post(path, content=content, headers=headers))


VERIFY: dict[str, Any] = {"image1": TINY, "image2": TINY}
IDENTIFY: dict[str, Any] = {"image": TINY}
ENROLL: dict[str, Any] = {"image": TINY, "subject_id": "a"}


@pytest.mark.parametrize(
    ("path", "valid", "name", "value"),
    [
        ("/verify", VERIFY, "threshold", value)
        for value in ["NaN", "inf", "-Infinity", "1e999", -0.1, 4.1, "one", "", True, [1], {}]
    ]
    + [("/verify", VERIFY, "far", value) for value in [0, -1, 1.1, "nan", True, "1e-400"]]
    + [("/verify", VERIFY, "face", value) for value in ["central", "LARGEST", 1, None, ""]]
    + [
        ("/verify", VERIFY, "image1", value)
        for value in [None, 1, [], ["a"], {}, "", "data:", "data:,", "é", "a===", "=" * 9]
    ]
    + [("/verify", VERIFY, "unknown", 1)]
    + [("/verify", VERIFY, "img1", TINY)]
    + [("/verify", VERIFY, "", 1), ("/verify", VERIFY, "\x00", 1), ("/verify", VERIFY, "__class__", 1)]
    + [("/identify", IDENTIFY, "top_k", value) for value in [0, -1, 10**30, 2**63, 1.5, "many", "", True, "1e3"]]
    + [("/identify", IDENTIFY, "max_faces", value) for value in [-1, 101, 10**30, "all", 0.5]]
    + [("/identify", IDENTIFY, "fpir", value) for value in [0, 1.1, "nan"]]
    + [
        (path, valid, "gallery", value)
        for path, valid in [("/identify", IDENTIFY), ("/gallery/enroll", ENROLL)]
        for value in ["", "a b", "../etc", "a\x00", "a" * 65, "a\n", "é", None, 3, "'; drop table faces;--"]
    ]
    + [
        ("/gallery/enroll", ENROLL, "subject_id", value)
        for value in ["", "a" * 129, "a\x00b", "\n", "\x7f", None, 3, []]
    ]
    + [("/gallery/enroll", ENROLL, "name", value) for value in ["a" * 257, "a\x00", ["a"], 1]]
    + [
        ("/gallery/enroll", ENROLL, "metadata", value)
        for value in [
            "[]",
            "3",
            "{",
            "x" * 5000,
            {"a": "b" * 5000},
            DEEP,
            '{"a": 1e999}',
            '{"a": NaN}',
            '{"a": "\\ud800"}',
            [1],
        ]
    ]
    + [("/gallery/enroll", ENROLL, "on_duplicate", value) for value in ["merge", "", None, 1]]
    + [("/gallery/enroll", ENROLL, "on_several_faces", value) for value in ["only", "", None, 1]]
    + [("/gallery/enroll", ENROLL, "image", value) for value in [[], [TINY] * 11, [None], ["x", TINY], {"0": TINY}]],
    ids=lambda value: str(value)[:20] if not isinstance(value, dict) else "",
)
def test_a_field_that_cannot_be_meant(
    client: Client, path: str, valid: dict[str, Any], name: str, value: object
) -> None:
    document = assert_client_error(client.post(path, json=valid | {name: value}))
    # TINY is no photograph, so a fault that was overlooked would surface as unsupported_format.
    assert document["code"] == "bad_request", document
    if name:
        assert json.dumps(name)[1:-1] in json.dumps(document)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/verify/", 404, "not_found"),
        ("GET", "/%00", 404, "not_found"),
        ("GET", "/../../etc/passwd", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/verify", 405, "method_not_allowed"),
        ("DELETE", "/gallery/enroll", 405, "method_not_allowed"),
        ("POST", "/model", 405, "method_not_allowed"),
        ("OPTIONS", "/identify", 405, "method_not_allowed"),
    ],
)
def test_the_frameworks_own_errors_are_problems_too(
    client: Client, method: str, path: str, status: int, code: str
) -> None:
    response = client.request(method, path, follow_redirects=False)
    document = assert_client_error(response)
    assert (response.status_code, document["code"]) == (status, code)


def test_all_faults_of_a_request_are_named_at_once(client: Client) -> None:
    document = assert_client_error(client.post("/verify", json={"image1": "?", "threshold": 9, "extra": 1}))
    assert {error["field"] for error in document["errors"]} == {"image1", "image2", "threshold", "extra"}


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/gallery/enroll", {"subject_id": "a", "image": [0] * 20_000}),
        ("/cluster", {"image": [None] * 20_000}),
        ("/verify", {str(number): 0 for number in range(20_000)}),
        ("/galleries", {"name": "a", "b" * 100_000: 0}),
        ("/gallery/enroll", {"subject_id": "a", "image": "", "metadata": {"a": [[]] * 200_000}}),
        ("/gallery/enroll", {"subject_id": "a", "image": "", "metadata": json.dumps({"a": [[]] * 200_000})}),
    ],
    ids=["images", "faces", "members", "a long name", "metadata", "metadata as text"],
)
def test_no_answer_is_longer_than_the_faults_that_help(client: Client, path: str, given: dict[str, Any]) -> None:
    response = client.post(path, json=given)
    assert_client_error(response)
    assert len(response.content) < 1_000


def test_faults_are_told_up_to_a_bound(client: Client) -> None:
    query = "&".join(f"p{number}=" for number in range(1_000))
    assert len(assert_client_error(client.get(f"/gallery/subjects?{query}"))["errors"]) == 100


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/gallery/subjects/a?galery=staff"),
        ("GET", "/gallery/subjects/a?Gallery=staff"),
        ("GET", "/gallery/subjects/a/faces?top=1"),
        ("DELETE", f"/gallery/faces/{'0' * 32}?subject=a"),
    ],
)
def test_a_parameter_that_is_not_known_is_an_error(client: Client, method: str, path: str) -> None:
    document = assert_client_error(client.request(method, path))
    assert (document["code"], document["errors"][0]["message"]) == (
        "bad_request",
        "this field is not known, or was given under another name already",
    )


@pytest.mark.parametrize("path", ["/identify?gallery=staff", "/verify?threshold=1", "/cluster?images=x"])
def test_a_field_of_the_body_in_the_address_is_an_error(client: Client, path: str) -> None:
    document = assert_client_error(client.post(path, json={}))
    assert "it belongs into the body" in document["detail"]


@pytest.mark.parametrize("expires_at", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+01:00"])
def test_a_time_beyond_all_dates_is_a_bad_request(client: Client, expires_at: str) -> None:
    changes = {"expires_at": expires_at}
    assert assert_client_error(client.request("PATCH", "/gallery/subjects/a", json=changes))["field"] == "expires_at"
    enrolment = {"subject_id": "a", "image": TINY, "expires_at": expires_at}
    assert assert_client_error(client.post("/gallery/enroll", json=enrolment))["field"] == "expires_at"


@pytest.mark.parametrize("subject_id", [".", ".."])
def test_an_id_that_no_path_can_hold_is_refused(client: Client, subject_id: str) -> None:
    document = assert_client_error(client.post("/gallery/enroll", json={"subject_id": subject_id, "image": TINY}))
    assert "which no path can hold" in document["detail"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/verify", "POST"),
        ("/galleries", "HEAD, GET, POST"),
        ("/gallery/subjects/a", "HEAD, GET, PATCH, DELETE"),
        ("/gallery/subjects/a%2Fb/faces", "HEAD, GET"),
    ],
)
def test_a_method_that_is_not_taken_is_told_all_that_are(client: Client, path: str, methods: str) -> None:
    response = client.request("OPTIONS", path)
    assert (response.status_code, response.headers["allow"]) == (405, methods)
