"""The bare stages do what ours do, with nothing around it."""

import os
import time

import numpy as np
import pytest

from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from app.settings import Settings
from tests.benchmarks.limit import Way, summary, ways
from tests.benchmarks.pictures import picture
from tests.benchmarks.stages import PHOTOGRAPH_STAGES, Stages, cheapest, pairs_per_second, recorded_runs


def test_every_run_of_a_network_is_recorded_and_can_be_made_again() -> None:
    detector = FaceDetector(Settings().weights_dir)
    photograph = decode(picture("250x250"), ImageLimits())
    with recorded_runs() as runs:
        assert detector.detect(photograph)
    assert len({id(run.__self__) for run, _, _ in runs}) == 3  # P-Net, R-Net, O-Net
    counted = len(runs)
    for run, names, inputs in runs:
        again, once_more = run(names, inputs), run(names, inputs)
        assert all(np.array_equal(*pair) for pair in zip(again, once_more, strict=True))
    detector.detect(photograph)
    assert len(runs) == counted  # nothing is recorded afterwards


def test_ours_and_bare_have_the_same_stages_and_all_of_them_run() -> None:
    stages = Stages("250x250")
    assert tuple(stages.ours) == tuple(stages.bare) == PHOTOGRAPH_STAGES
    for stage in PHOTOGRAPH_STAGES:
        stages.ours[stage]()
        stages.bare[stage]()
    assert stages.our_embed(2).shape == stages.bare_embed(2)[0].shape
    assert [len(faces) for faces in stages.our_detect(2)] == [1, 1]
    stages.bare_photographs(2)


def test_the_cheapest_batch_is_told_with_what_one_of_it_costs() -> None:
    def call(count: int) -> None:
        ends = time.thread_time() + {1: 0.004, 2: 0.004, 4: 0.016}[count]
        while time.thread_time() < ends:
            pass

    batch, ms = cheapest(call, (1, 2, 4), 3)
    assert batch == 2
    assert 2.0 <= ms < 3.0


def test_the_limit_is_the_best_way_and_is_set_beside_one_core() -> None:
    tried = [
        Way(1, 1, 1, 4)._asdict() | {"photographs_per_second": 100.0},
        Way(2, 1, 1, 4)._asdict() | {"photographs_per_second": 190.0},
        Way(1, 2, 1, 4)._asdict() | {"photographs_per_second": 150.0},
    ]
    assert summary(tried) == {"pairs_per_second": 95.0, "of_one_core": 1.9}


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_the_machine_is_tried_with_one_core_and_with_all(cores: int) -> None:
    busy = [way.processes * way.threads * way.network_threads for way in ways(cores)]
    assert set(busy) == {1, cores}


def test_pairs_a_second_are_of_two_photographs_each() -> None:
    assert pairs_per_second({"decode": 1.0, "detect": 4.0}, cores=2) == pytest.approx(200.0)
    assert pairs_per_second({"decode": 5.0}) == pytest.approx(100.0 * len(os.sched_getaffinity(0)))
