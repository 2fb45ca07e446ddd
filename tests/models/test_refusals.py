"""How a command ends that cannot do what it was asked for."""

from pathlib import Path

import pytest

from app.errors import ConfigurationError, SamefaceError
from models.refusals import refusals


@pytest.mark.parametrize(
    "error", [ValueError("7 crops, 8 wanted"), ConfigurationError("7 crops, 8 wanted")], ids=lambda error: type(error)
)
def test_a_fact_is_all_that_is_said(error: ValueError | SamefaceError) -> None:
    with pytest.raises(SystemExit) as end, refusals():
        raise error
    assert end.value.code == "7 crops, 8 wanted"


@pytest.mark.parametrize(
    ("fact", "said"), [("7 crops", "a/crops: 7 crops"), ("a/crops holds no crops", "a/crops holds no crops")]
)
def test_what_it_is_about_is_said_once(fact: str, said: str) -> None:
    with pytest.raises(SystemExit) as end, refusals(Path("a/crops")):
        raise ValueError(fact)
    assert end.value.code == said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end, refusals(tmp_path / "crops"):
        (tmp_path / "nope.tsv").read_text()
    assert end.value.code == f"{tmp_path / 'nope.tsv'}: No such file or directory"


@pytest.mark.parametrize("error", [KeyError("path"), BrokenPipeError(32, "Broken pipe")], ids=lambda error: type(error))
def test_what_nobody_can_mend_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), refusals():
        raise error
