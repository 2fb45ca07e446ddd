"""Requests made up from the OpenAPI document, valid and not: no 5xx, no undocumented status, no undocumented shape.

A few examples an operation by default; `SAMEFACE_SCHEMATHESIS_EXAMPLES=200 pytest tests/api/test_schemathesis.py` for
more.
"""

import base64
import io
import os
import tempfile
from collections.abc import Iterator

import pytest
import schemathesis
import skimage.data
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)

from app.main import create_app, open_service
from app.settings import Settings

EXAMPLES = int(os.environ.get("SAMEFACE_SCHEMATHESIS_EXAMPLES", "5"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
    negative_data_rejection,
    use_after_free,
]

# Schemathesis opens and closes the application itself too, with the settings that it was made with: its database is not
# to be the checkout's own, since galleries are dropped here.
FOLDER = tempfile.TemporaryDirectory(prefix="schemathesis-")
DATABASE = f"sqlite:///{FOLDER.name}/opened.db"
# Requests of the test client come from no address at all.
APP = create_app(Settings(database_url=DATABASE, allow_unauthenticated_public=True, compreface=True))


def photographs() -> list[bytes]:
    """A face, nothing at all, and a file cut short."""
    files = []
    for image in (Image.fromarray(skimage.data.astronaut()[:300, 100:400]), Image.new("RGB", (40, 30))):
        file = io.BytesIO()
        image.save(file, "JPEG")
        files.append(file.getvalue())
    return [*files, files[0][:500]]


images = st.sampled_from(photographs()) | st.binary(min_size=1, max_size=50)
schemathesis.openapi.format("binary", images)
schemathesis.openapi.format("byte", images.map(lambda image: base64.b64encode(image).decode()))
schema = schemathesis.openapi.from_asgi("/openapi.json", APP)


@pytest.fixture(scope="module", autouse=True)
def served(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The application over a database of its own: galleries are dropped here, the default one too."""
    database = tmp_path_factory.mktemp("schemathesis") / "sameface.db"
    with open_service(settings.model_copy(update={"database_url": f"sqlite:///{database}"})) as APP.state.service:
        yield


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_what_the_document_allows_and_what_it_does_not(case: schemathesis.Case) -> None:
    # A form writes a list of one and the one alike, so what breaks its schema may be a valid form.
    as_form = case.media_type == "multipart/form-data"
    excluded = [negative_data_rejection] if as_form else []
    # In CompreFace's API this path is also that of an example whose id would be `delete`.
    if case.path == "/api/v1/recognition/faces/delete":
        excluded.append(allow_header_conformance)
    # A revision that is made up never comes, which is rightly 503; any other 5xx is not documented, and so found.
    if isinstance(case.body, dict) and "min_revision" in case.body:
        excluded.append(not_a_server_error)
    case.call_and_validate(checks=CHECKS, excluded_checks=excluded)
