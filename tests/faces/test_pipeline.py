"""The pipeline from bytes to embeddings, with the served detector and a small embedder."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from app.domain import FaceChoice
from app.errors import NoFace, SeveralFaces, UnreadableImage
from app.faces.decode import ImageLimits
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder
from app.faces.pipeline import FacePipeline
from app.faces.quality import QualityRequirements
from app.faces.reader import PhotographReader
from app.faces.threads import ThreadInference
from tests.faces.conftest import card, write_embedder


@pytest.fixture(scope="module")
def pipeline(detector: FaceDetector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FacePipeline]:
    embedder = FaceEmbedder(write_embedder(tmp_path_factory.mktemp("model") / "tiny.onnx", card()))
    reader = PhotographReader(
        detector, embedder.card.input.spec, limits=ImageLimits(), required=QualityRequirements(), detect_side_px=960
    )
    opened = FacePipeline(ThreadInference(reader, embedder, workers=2, max_batch=8, max_queue=64))
    yield opened
    opened.close()


def test_one_face_comes_with_its_embedding_and_the_time_of_each_stage(pipeline: FacePipeline, portrait: bytes) -> None:
    found = asyncio.run(pipeline.embed(portrait))
    assert found.embedding.shape == (8,)
    assert found.faces_found == 1
    assert set(found.took_ms) == {"decode", "detect", "crop", "quality", "embed"}
    assert min(found.took_ms.values()) > 0


def test_all_faces_come_largest_first_up_to_the_number_asked_for(pipeline: FacePipeline, two_faces: bytes) -> None:
    everyone = asyncio.run(pipeline.embed_all(two_faces, max_faces=0))
    assert [face.faces_found for face in everyone] == [2, 2]
    assert everyone[0].face.box.area > everyone[1].face.box.area
    (largest,) = asyncio.run(pipeline.embed_all(two_faces, max_faces=1))
    assert largest.face.box == everyone[0].face.box


def test_no_face_is_an_error_for_one_and_an_answer_for_all(pipeline: FacePipeline, no_face: bytes) -> None:
    assert asyncio.run(pipeline.embed_all(no_face, max_faces=0)) == []
    with pytest.raises(NoFace):
        asyncio.run(pipeline.embed(no_face))


def test_photographs_side_by_side_do_not_disturb_each_other(
    pipeline: FacePipeline, portrait: bytes, two_faces: bytes, no_face: bytes
) -> None:
    alone = asyncio.run(pipeline.embed(portrait)).embedding

    async def together() -> list[object]:
        work = [
            pipeline.embed(data, choice)
            for _ in range(4)
            for data, choice in (
                (portrait, FaceChoice.LARGEST),
                (no_face, FaceChoice.LARGEST),
                (two_faces, FaceChoice.ONLY),
                (portrait[:2000], FaceChoice.LARGEST),
            )
        ]
        return list(await asyncio.gather(*work, return_exceptions=True))

    outcomes = asyncio.run(together())
    for i in range(0, 16, 4):
        np.testing.assert_allclose(outcomes[i].embedding, alone, atol=1e-6)
        assert [type(outcome) for outcome in outcomes[i + 1 : i + 4]] == [NoFace, SeveralFaces, UnreadableImage]


def test_a_probe_runs_the_embedder(pipeline: FacePipeline) -> None:
    asyncio.run(pipeline.probe())
    assert pipeline.healthy
    assert pipeline.depth == 0


def test_faces_of_which_the_detector_is_less_sure_are_passed_over(pipeline: FacePipeline, two_faces: bytes) -> None:
    async def scenario() -> None:
        confidences = [face.confidence for face in (await pipeline.detect(two_faces, max_faces=0)).faces]
        between = sum(confidences) / 2
        assert min(confidences) < between < max(confidences)
        surer = await pipeline.detect(two_faces, max_faces=0, min_confidence=between)
        assert [face.confidence for face in surer.faces] == [max(confidences)]
        [embedded] = await pipeline.embed_all(two_faces, max_faces=0, min_confidence=between)
        assert embedded.face.confidence == max(confidences)
        only = await pipeline.embed(two_faces, FaceChoice.ONLY, min_confidence=between)
        assert only.face.confidence == max(confidences)
        with pytest.raises(NoFace):
            await pipeline.embed(two_faces, min_confidence=1.0)

    asyncio.run(scenario())
