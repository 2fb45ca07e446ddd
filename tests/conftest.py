"""Real photographs and a real service for every test that wants them.

LFW is used where it lies beside the repository or where SAMEFACE_LFW points; its tests are skipped elsewhere. The
portrait of Eileen Collins that scikit-image ships is in the public domain (NASA).
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import skimage.data
from PIL import Image

from app.main import open_service
from app.service import FaceService
from app.settings import Settings
from tests.processes import Server, serving

REPOSITORY = Path(__file__).parent.parent
LFW = Path(os.environ.get("SAMEFACE_LFW", REPOSITORY.parent / "shared" / "lfw"))


def encoded(image: Image.Image, image_format: str = "JPEG", **options: object) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session", autouse=True)
def untouched() -> Iterator[None]:
    """No test opens the database that `make serve` would: in a checkout without one there is none afterwards."""
    own = REPOSITORY / "data"
    was_there = own.exists()
    yield
    assert own.exists() == was_there, f"a test served from {own}; give it a database_url of its own"


@pytest.fixture(scope="session")
def lfw() -> Path:
    """The folder of LFW, with `images/<person>/<person>_0001.jpg`."""
    if not (LFW / "images").is_dir():
        pytest.skip(f"LFW is not at {LFW}; set SAMEFACE_LFW to its folder")
    return LFW


@pytest.fixture(scope="session")
def astronaut() -> Image.Image:
    """512 x 512 RGB with one face of about 90 x 113 pixels."""
    return Image.fromarray(skimage.data.astronaut())


@pytest.fixture(scope="session")
def portrait(astronaut: Image.Image) -> bytes:
    """The portrait as a JPEG."""
    return encoded(astronaut, quality=92)


@pytest.fixture(scope="session")
def portrait_again(astronaut: Image.Image) -> bytes:
    """The same face in another file: turned a little, cropped, and compressed hard."""
    turned = astronaut.rotate(4, Image.Resampling.BICUBIC)
    return encoded(turned.crop((60, 10, 400, 330)), quality=60)


@pytest.fixture(scope="session")
def two_faces(astronaut: Image.Image) -> bytes:
    """One photograph with two faces, the left one larger."""
    pair = Image.new("RGB", (900, 512))
    pair.paste(astronaut, (0, 0))
    pair.paste(astronaut.resize((388, 388)), (512, 60))
    return encoded(pair, quality=92)


@pytest.fixture(scope="session")
def no_face() -> bytes:
    """A photograph without any face: a smooth ramp of grey."""
    ramp = np.linspace(0, 255, 400, dtype=np.uint8)
    return encoded(Image.fromarray(np.tile(ramp, (300, 1))))


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Default settings with a database of their own, and threads, which start sooner than processes."""
    database = tmp_path_factory.mktemp("database") / "sameface.db"
    return Settings(
        database_url=f"sqlite:///{database}", inference="threads", image_workers=2, follow_interval_seconds=0.2
    )


@pytest.fixture(scope="session")
def service(settings: Settings) -> Iterator[FaceService]:
    """The service with the committed model; a test that writes takes a gallery of its own."""
    with open_service(settings) as opened:
        yield opened


def reconfigured(service: FaceService, **settings: object) -> FaceService:
    """Another service with other settings over the same open components."""
    return FaceService(
        service.settings.model_copy(update=settings),
        pipeline=service.pipeline,
        searcher=service.searcher,
        store=service.store,
        follower=service.follower,
        keyring=service.keyring,
        metrics=service.metrics,
        answers=service.answers,
        database_threads=service.records.threads,
    )


@pytest.fixture
def gallery(service: FaceService) -> str:
    """The name of a new, empty gallery that the index knows."""
    name = f"g-{uuid4().hex}"
    service.store.create_gallery(name)
    assert service.follower.wait_for(service.store.revision(), 10)
    return name


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service in a process of its own, without API keys; a test that writes takes a gallery of its own."""
    with serving(tmp_path_factory.mktemp("server") / "sameface.db") as running:
        yield running
