"""The command line of training."""

from dataclasses import fields
from pathlib import Path

import pytest

from models.augment import Augmentation
from models.options import Options, parse

WORDS = ["crops", "--out", "run"]


def test_without_flags_the_defaults_hold() -> None:
    assert parse("", WORDS) == Options(crops=Path("crops"), out=Path("run"))


@pytest.mark.parametrize("knob", [*fields(Options)[3:], *fields(Augmentation)], ids=lambda knob: knob.name)
def test_every_knob_is_a_flag_with_help(knob, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SystemExit):
        parse("", ["--help"])
    assert f"--{knob.name.replace('_', '-')}" in capsys.readouterr().out
    assert knob.metadata["help"]


def test_flags_are_read_in_their_types() -> None:
    words = ["--no-bf16", "--milestones", "0.5,0.9", "--margin", "0.3", "--start-from", "a.pt", "--blur", "0.25"]
    options = parse("", [*WORDS, *words, "--shift-px", "2", "--loss", "cosface", "--resume"])
    assert parse("", [*WORDS, "--start-from", "a.onnx", "--frozen-parts", "stem,embedding"]).frozen_parts == (
        "stem",
        "embedding",
    )
    assert (options.bf16, options.milestones, options.margin) == (False, (0.5, 0.9), 0.3)
    assert (options.start_from, options.loss, options.resume) == (Path("a.pt"), "cosface", True)
    assert (options.augmentation.blur, options.augmentation.shift_px) == (0.25, 2)


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ("--network nn9", "invalid choice: 'nn9'"),
        ("--side 48", "--side 48: nn2 needs at least 64"),
        ("--network deepface --side 152 --growing 0.5", "deepface takes pictures of one size only"),
        ("--loss cosface --mine-steps 100", "cosface takes no triplets; triplet and cosine-triplet do"),
        ("--milestones a,b", "invalid comma-separated float value: 'a,b'"),
        ("--people-share 0", "--people-share 0.0: a share of the people lies above 0 and up to 1"),
        ("--frozen-trunk", "--frozen-trunk: there is no --start-from"),
        ("--frozen-parts stem", "--frozen-parts: there is no --start-from"),
        ("--fresh-head --start-from served.onnx", "--fresh-head: a served file is read whole"),
        ("--morphs 0.5", "--morphs: a made-up face has the teacher's word only"),
        ("--mine-steps 10 --morphs 0.5 --teacher a.npy --live-teacher b.param", "--morphs takes the place of faces"),
        ("--similarity-weight 1", "--similarity-weight: whom a face resembles is the teacher's word: give --teacher"),
        ("--blur 1.5", "--blur 1.5: a share lies between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_fact(words: str, fact: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse("", [*WORDS, *words.split()])
    assert end.value.code == 2
    assert fact in capsys.readouterr().err
