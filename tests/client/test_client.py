"""The client against a service in a process of its own: every endpoint, every way to give an image."""

import asyncio
import inspect
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

import app.client
from app.api.problems import STATUS
from app.client import (
    AsyncSameface,
    BadRequest,
    CropNotKept,
    FaceNotFound,
    GalleryNotFound,
    JobNotFound,
    NoFace,
    Retries,
    Sameface,
    SubjectNotFound,
    Unauthenticated,
    Unreachable,
)
from app.client.errors import KINDS
from app.client.results import Model
from tests.processes import Server, environment, run, serving


@pytest.fixture
def client(server: Server) -> Iterator[Sameface]:
    with Sameface(f"http://127.0.0.1:{server.port}") as client:
        yield client


@pytest.fixture
def gallery(client: Sameface) -> Iterator[str]:
    name = f"g-{uuid4().hex}"
    client.create_gallery(name)
    yield name
    client.delete_gallery(name)


def test_an_image_is_a_path_bytes_or_a_file(client: Sameface, portrait: bytes, tmp_path: Path) -> None:
    path = tmp_path / "portrait.jpg"
    path.write_bytes(portrait)
    with path.open("rb") as file:
        assert client.verify(path, file).distance < 1e-6
    assert client.verify(str(path), io.BytesIO(portrait)).distance < 1e-6
    assert client.verify(bytearray(portrait), memoryview(portrait)).distance < 1e-6
    with pytest.raises(FileNotFoundError):
        client.detect(tmp_path / "nowhere.jpg")
    with pytest.raises(TypeError, match="not str"):
        client.detect(io.StringIO("text"))  # type: ignore[arg-type]


def test_a_verification_is_typed_and_true_where_it_matches(
    client: Sameface, portrait: bytes, portrait_again: bytes
) -> None:
    answer = client.verify(portrait, portrait_again, far=0.001)
    assert answer
    assert answer.distance < answer.threshold
    assert answer.far == pytest.approx(0.001)
    assert answer.face1.box.left < answer.face1.box.right
    assert answer.face1.faces_found == 1
    assert answer.model == client.verify(portrait, portrait).model
    assert not client.verify(portrait, portrait_again, threshold=0.0)


def test_a_person_is_enrolled_found_changed_and_erased(
    client: Sameface, gallery: str, portrait: bytes, portrait_again: bytes
) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    enrolled = client.enroll(
        "emp/42 ä%", [portrait, portrait_again], gallery=gallery, name="Ada", metadata={"floor": 3}, expires_at=end
    )
    assert (enrolled.created, [face.status for face in enrolled.faces]) == (True, ["enrolled", "enrolled"])
    found = client.identify(portrait, gallery=gallery, max_faces=0, min_revision=enrolled.revision)
    assert [candidate.name for candidate in found.faces[0].candidates] == ["Ada"]
    assert client.verify_subject(portrait, "emp/42 ä%", gallery=gallery).subject.subject_id == "emp/42 ä%"
    subject = client.subject("emp/42 ä%", gallery=gallery)
    assert (subject.metadata, subject.expires_at, subject.faces) == ({"floor": 3}, end, 2)
    changed = client.update_subject("emp/42 ä%", gallery=gallery, name=None, expires_at=None)
    assert (changed.name, changed.expires_at, changed.metadata) == (None, None, {"floor": 3})
    first, second = client.faces("emp/42 ä%", gallery=gallery)
    assert client.delete_face(first.face_id, gallery=gallery).erased.faces == 1
    assert client.delete_subject("emp/42 ä%", gallery=gallery).erased.faces == 1
    with pytest.raises(SubjectNotFound):
        client.subject("emp/42 ä%", gallery=gallery)
    with pytest.raises(FaceNotFound):
        client.delete_face(second.face_id, gallery=gallery)


def test_photographs_that_cannot_be_used_are_reported(
    client: Sameface, gallery: str, portrait: bytes, no_face: bytes
) -> None:
    enrolled = client.enroll("ada", [portrait, no_face], gallery=gallery)
    assert enrolled.faces[0].face_id
    assert (enrolled.faces[1].status, enrolled.faces[1].reasons) == ("rejected", ["no_face"])


def test_lists_are_read_page_by_page(client: Sameface, portrait: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.client.sameface.PAGE_ITEMS", 2)
    names = [f"page-{uuid4().hex}" for _ in range(5)]
    for name in names:
        client.create_gallery(name)
    assert set(names) <= {gallery.name for gallery in client.galleries()}
    for subject_id in ("a1", "a2", "a3", "b1"):
        client.enroll(subject_id, portrait, gallery=names[0], on_duplicate="allow")
    found = client.subjects(gallery=names[0], prefix="a")
    assert [subject.subject_id for subject in found] == ["a1", "a2", "a3"]
    for name in names:
        client.delete_gallery(name)
    with pytest.raises(GalleryNotFound):
        next(client.subjects(gallery=names[0]))


def test_an_error_carries_the_problem_document(client: Sameface, portrait: bytes, no_face: bytes) -> None:
    with pytest.raises(NoFace) as raised:
        client.verify(portrait, no_face)
    error = raised.value
    assert (error.field, error.facts) == ("image2", {"faces_found": 0})
    assert error.problem is not None
    assert error.problem["status"] == 422
    assert re.fullmatch("[0-9a-f]{32}", error.problem["request_id"])
    with pytest.raises(BadRequest, match="threshold"):
        client.verify(portrait, portrait, threshold=1, far=0.1)
    with pytest.raises(BadRequest, match="empty"):
        client.subject("")


def test_every_code_of_the_service_has_its_exception() -> None:
    assert set(KINDS) == set(STATUS)
    assert all(hasattr(app.client, kind.__name__) for kind in KINDS.values() if kind.code != "configuration")


def test_every_endpoint_is_covered_and_answers_as_the_client_reads_it(
    client: Sameface, gallery: str, portrait: bytes
) -> None:
    asked: set[tuple[str, str]] = set()
    client.http.event_hooks["request"].append(lambda request: asked.add((request.method, request.url.path)))
    client.verify(portrait, portrait)
    client.enroll("ada", portrait, gallery=gallery)
    client.verify_subject(portrait, "ada", gallery=gallery)
    client.identify(portrait, gallery=gallery)
    assert len(client.cluster([portrait, portrait]).groups[0].faces) == 2
    with pytest.raises(JobNotFound):
        client.cluster_job("none")
    with pytest.raises(JobNotFound):
        client.delete_cluster_job("none")
    assert client.detect(portrait).image.width == 512
    assert np.linalg.norm(client.embed(portrait).faces[0].embedding) == pytest.approx(1)
    assert client.gallery(gallery).subjects == 1
    assert gallery in {found.name for found in client.galleries()}
    assert [found.subject_id for found in client.subjects(gallery=gallery)] == ["ada"]
    client.subject("ada", gallery=gallery)
    client.update_subject("ada", gallery=gallery, metadata={"floor": 4})
    [face] = client.faces("ada", gallery=gallery)
    with pytest.raises(CropNotKept):
        client.crop(face.face_id, gallery=gallery)
    client.delete_face(face.face_id, gallery=gallery)
    client.delete_subject("ada", gallery=gallery)
    client.create_gallery(f"{gallery}-2")
    client.delete_gallery(f"{gallery}-2")
    assert client.model().calibration.operating_points[0].far > client.model().calibration.curve[-1].far
    assert client.live().status == "alive"
    assert client.ready()
    assert "sameface_requests_total" in client.metrics()
    patterns = {
        (method.upper(), re.sub(r"\{[^}]+\}", "[^/]+", path))
        for path, operations in client.openapi()["paths"].items()
        for method in operations
    }
    missed = {
        (method, pattern)
        for method, pattern in patterns
        if not any(method == used and re.fullmatch(pattern, path) for used, path in asked)
    }
    assert missed == set()


def test_the_asynchronous_client_has_the_same_methods_and_answers(
    server: Server, gallery: str, portrait: bytes
) -> None:
    async def scenario() -> list[str]:
        async with AsyncSameface(f"http://127.0.0.1:{server.port}") as client:
            await asyncio.gather(
                *(client.enroll(f"s{i}", portrait, gallery=gallery, on_duplicate="allow") for i in range(4))
            )
            assert gallery in [found.name async for found in client.galleries()]
            with pytest.raises(SubjectNotFound):
                await client.subject("nobody", gallery=gallery)
            return [subject.subject_id async for subject in client.subjects(gallery=gallery)]

    assert asyncio.run(scenario()) == ["s0", "s1", "s2", "s3"]
    for name, method in inspect.getmembers(Sameface, inspect.isfunction):
        if not name.startswith("_"):
            twin = inspect.signature(getattr(AsyncSameface, name))
            assert list(inspect.signature(method).parameters) == list(twin.parameters), name


def test_help_shows_parameters_and_what_a_method_does() -> None:
    assert list(inspect.signature(Sameface.identify).parameters)[:3] == ["self", "image", "gallery"]
    assert "Whose faces are these?" in (Sameface.identify.__doc__ or "")


def test_a_key_is_sent_from_the_argument_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "sameface.db"
    key = run("keys", "create", "test", "--scope", "verify", env=environment(database)).stdout.strip()
    with serving(database) as server:
        url = f"http://127.0.0.1:{server.port}"
        with Sameface(url) as client, pytest.raises(Unauthenticated):
            client.model()
        with Sameface(url, api_key=key) as client:
            assert client.model().sha256
        monkeypatch.setenv("SAMEFACE_SERVER", url)
        monkeypatch.setenv("SAMEFACE_API_KEY", key)
        with Sameface() as client:
            assert client.model().sha256


def test_a_url_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="https://"):
        Sameface("localhost:8000")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no URL"):
        Sameface("http://localhost:80o0")


def test_a_key_from_a_file_of_another_system_works_and_one_that_is_none_is_not_repeated() -> None:
    with Sameface(api_key="sameface_0123_secret\r\n") as client:
        assert client._options["headers"]["X-API-Key"] == "sameface_0123_secret"
    with pytest.raises(ValueError, match="characters") as refusal:
        Sameface(api_key="sameface_0123_secret\nX-Other: 1")
    assert "secret" not in str(refusal.value)


def test_a_password_in_the_address_is_not_told() -> None:
    with (
        Sameface("http://user:pa55word@127.0.0.1:1", retries=Retries(attempts=1)) as client,
        pytest.raises(Unreachable) as failure,
    ):
        client.model()
    assert "pa55word" not in f"{failure.value} {failure.value.facts}"


def test_members_that_a_newer_server_adds_are_kept() -> None:
    assert Model.model_validate({"id": "m", "sha256": "s", "licence": "free"}).model_dump()["licence"] == "free"


def test_the_client_needs_nothing_of_the_service() -> None:
    heavy = ("numpy", "onnxruntime", "fastapi", "sqlalchemy")
    script = f"import sys, app.client; print(*(name for name in {heavy} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
