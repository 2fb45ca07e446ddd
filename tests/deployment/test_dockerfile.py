"""The Dockerfile and the locked packages, as far as they can be judged without building an image."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.settings import Settings

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"
EXTRAS = {"cpu": ["cpu", "milvus"], "gpu": ["gpu", "milvus"], "train": ["cpu", "train"]}


def stages() -> dict[str, str]:
    """The text of each stage by its name."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]
    return {name: f"FROM {base}\n{text}" for base, name, text in zip(*[iter(parts)] * 3, strict=True)}


def lineage(stage: str) -> str:
    """The text of a stage and of those that it is made from."""
    text = stages()[stage]
    base = text.split()[1]
    return (lineage(base) if base in stages() else "") + text


def test_hadolint_finds_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    said = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, timeout=60)
    assert said.stdout + said.stderr == ""
    assert said.returncode == 0


def test_everything_is_made_from_one_base_of_a_fixed_version() -> None:
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim-\w+$", DOCKERFILE.read_text(), re.MULTILINE)
    for name, text in stages().items():
        base = text.split()[1]
        assert base == "${PYTHON_IMAGE}" or base in stages(), name


@pytest.mark.parametrize("target", ["serve-cpu", "serve-gpu", "train"])
def test_an_image_runs_as_a_user_who_owns_none_of_it(target: str) -> None:
    assert re.findall(r"^USER (.*)$", lineage(target), re.MULTILINE) == ["10001:10001"]
    assert stages()[target].index("USER") > stages()[target].index("COPY")


@pytest.mark.parametrize("target", ["serve-cpu", "serve-gpu"])
def test_signals_reach_the_service_itself(target: str) -> None:
    for instruction in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        assert re.search(rf"^(?:{instruction}|    CMD) .*\[\"", lineage(target), re.MULTILINE), instruction
    assert 'ENTRYPOINT ["sameface"]\nCMD ["serve"]' in lineage(target)


def test_the_image_for_processors_is_what_is_built_where_no_target_is_named() -> None:
    assert list(stages())[-1] == "serve-cpu"


def test_what_is_copied_is_sent_to_the_builder() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    sent = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert ignored[1] == "*"
    for line in re.findall(r"^COPY (?!--from)(.*)$|source=(docker/\S+),", DOCKERFILE.read_text(), re.MULTILINE):
        for source in line[0].split()[:-1] if line[0] else [line[1]]:
            assert any(Path(source).match(pattern) for pattern in sent), source
            assert (REPOSITORY / source).exists(), source


def locked(image: str) -> dict[str, str]:
    """Versions by name of package."""
    text = (REPOSITORY / "docker" / f"requirements-{image}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^\s;]+)", text, re.MULTILINE))


@pytest.mark.parametrize("image", EXTRAS)
def test_the_locked_versions_are_within_the_ranges_of_the_package(image: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + [
        line for extra in EXTRAS[image] for line in project["optional-dependencies"][extra]
    ]
    versions = locked(image)
    for requirement in map(Requirement, asked):
        version = versions[re.sub(r"[-_.]+", "-", requirement.name).lower()]
        assert version in requirement.specifier, f"{requirement.name}: run docker/lock-packages.sh"


@pytest.mark.parametrize("image", EXTRAS)
def test_every_locked_package_has_hashes(image: str) -> None:
    text = (REPOSITORY / "docker" / f"requirements-{image}.txt").read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(locked(image)) > 40
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_default_database_of_an_image_lies_in_the_volume() -> None:
    """No variable says so: it would contradict a URL from a file."""
    serve = lineage("serve")
    assert "SAMEFACE_DATABASE_URL" not in serve
    assert re.findall(r"^WORKDIR (.*)$", serve, re.MULTILINE)[-1] == "/"
    assert Settings.model_fields["database_url"].default == "sqlite:///data/sameface.db"


def test_the_image_for_training_keeps_what_makes_eight_bits() -> None:
    script = (REPOSITORY / "docker" / "install-packages.sh").read_text()
    kept, removed = re.search(r"\*requirements-train\.txt\) (.*)\n +\*\) (.*)", script).groups()  # type: ignore[union-attr]
    assert kept.startswith(";;")
    assert "onnxruntime/quantization" in removed
    assert script.count("onnxruntime/quantization") == 1
