"""POST /verify and POST /identify under load, as callers see them.

`sameface serve` runs with its defaults and is loaded from a second process, which shares its cores: what the load
generator takes of them is part of what is lost. Closed loop: so many callers, each as fast as it is answered. Open
loop: requests at random times, at shares of the throughput at saturation, whether or not the service keeps up.
"""

import tempfile
import time
from pathlib import Path

from app.faces.embed import FaceEmbedder
from app.settings import Settings
from tests.benchmarks.client import multipart
from tests.benchmarks.databases import empty_database, fill
from tests.benchmarks.generator import Generator
from tests.benchmarks.people import gallery_embeddings
from tests.benchmarks.pictures import pair, picture
from tests.benchmarks.plan import Plan, Progress, Row
from tests.benchmarks.server import sameface

CALLERS = (1, 2, 4, 8, 16, 32, 64)
IDENTIFY_CALLERS = (1, 8, 32)
LOADS = (0.5, 0.7, 0.85, 0.95)  # shares of the throughput at saturation
IDENTIFY_LOADS = (0.7,)
IDENTIFY_SIZE = "250x250"


def verify_steps(plan: Plan) -> int:
    return len(plan.sizes) * (len(CALLERS) + len(LOADS))


def measure_verify(plan: Plan, progress: Progress) -> list[Row]:
    """A row for each size of the photographs, all of one server."""
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="sameface-benchmark-") as folder,
        sameface(f"sqlite:///{Path(folder)}/sameface.db") as server,
    ):
        for size in plan.sizes:
            with Generator(server, verify_requests(size), plan.seconds) as generator:
                loads = under_load(generator, f"verify {size}", CALLERS, LOADS, progress)
            rows.append({"size": size, **loads})
    return rows


def identify_steps(plan: Plan) -> int:
    return len(plan.galleries) * (1 + len(IDENTIFY_CALLERS) + len(IDENTIFY_LOADS))


def measure_identify(plan: Plan, progress: Progress) -> list[Row]:
    """A row for each number of enrolled faces, with the seconds until the service was ready."""
    return [_identify(faces, plan, progress) for faces in plan.galleries]


def _identify(faces: int, plan: Plan, progress: Progress) -> Row:
    settings = Settings()
    requests = [multipart("/identify", {"image": picture(IDENTIFY_SIZE)})]
    with empty_database("sqlite") as url:
        with progress.step(f"fill with {faces:,} faces"):
            if faces:
                model = FaceEmbedder(settings.weights_dir / f"{settings.model}.onnx")
                fill(url, gallery_embeddings(faces), model_id=model.card.id)
        began = time.perf_counter()
        with sameface(url) as server:
            ready_seconds = round(time.perf_counter() - began, 2)
            with Generator(server, requests, plan.seconds) as generator:
                what = f"identify among {faces:,}"
                loads = under_load(generator, what, IDENTIFY_CALLERS, IDENTIFY_LOADS, progress)
    return {"faces": faces, "size": IDENTIFY_SIZE, "ready_seconds": ready_seconds, **loads}


def under_load(
    generator: Generator, what: str, callers: tuple[int, ...], loads: tuple[float, ...], progress: Progress
) -> Row:
    """`closed_loop` for each number of callers, `open_loop` for each share of the best throughput found."""
    generator.warm_up()
    closed, opened = [], []
    for count in callers:
        with progress.step(f"{what}, {count} callers"):
            closed.append(generator.closed(count))
    best = max(row["per_second"] for row in closed)
    for share in loads:
        with progress.step(f"{what}, {share:.0%} of saturation"):
            opened.append({"share": share, **generator.open(share * best)})
    return {"closed_loop": closed, "open_loop": opened}


def verify_requests(size: str) -> list[bytes]:
    """One request, two photographs of one face."""
    one, other = pair(size)
    return [multipart("/verify", {"image1": one, "image2": other})]
