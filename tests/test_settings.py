"""Settings: every one documented, a wrong one named together with what to do."""

import os
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.settings import Settings, load_settings, markdown_table, unknown_variables

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SAMEFACE_{name.upper()}", raising=False)


def test_the_documentation_has_every_setting_as_it_is() -> None:
    documented = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert markdown_table() in documented, "paste the output of `sameface settings` into docs/configuration.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_description(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert description.endswith(".")


def test_a_variable_sets_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEFACE_PORT", "9000")
    monkeypatch.setenv("SAMEFACE_THRESHOLD", "1.1")
    settings = load_settings()
    assert (settings.port, settings.threshold) == (9000, 1.1)


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEFACE_PORT", "9000")
    assert load_settings(port=9001).port == 9001


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAMEFACE_PORT", "65536"),
        ("SAMEFACE_PORT", "tcp://10.0.0.1:8000"),
        ("SAMEFACE_THRESHOLD", "5"),
        ("SAMEFACE_THRESHOLD", "nan"),
        ("SAMEFACE_FPIR", "0"),
        ("SAMEFACE_CORS_ORIGINS", "example.com"),
        ("SAMEFACE_CORS_ORIGINS", "https://a.example/path"),
        ("SAMEFACE_CORS_ORIGINS", "https://*.example"),
        ("SAMEFACE_DEVICE", "tpu"),
        ("SAMEFACE_MAX_IMAGE_BYTES", "ten"),
        ("SAMEFACE_REQUEST_DEADLINE_SECONDS", "-1"),
        ("SAMEFACE_DATABASE_URL", "mysql://localhost/sameface"),
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    description = Settings.model_fields[name.removeprefix("SAMEFACE_").lower()].description
    with pytest.raises(ConfigurationError) as refusal:
        load_settings()
    assert name in refusal.value.message
    assert str(description) in refusal.value.message


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEFACE_PORT", "-1")
    monkeypatch.setenv("SAMEFACE_DEVICE", "tpu")
    with pytest.raises(ConfigurationError, match=r"(?s)SAMEFACE_PORT.*SAMEFACE_DEVICE"):
        load_settings()


def test_a_password_in_the_database_url_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEFACE_DATABASE_URL", "mysql://user:hunter2@localhost/sameface")
    with pytest.raises(ConfigurationError) as refusal:
        load_settings()
    assert "hunter2" not in refusal.value.message
    assert "hunter2" not in repr(Settings(database_url="postgresql+psycopg://user:hunter2@localhost/sameface"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_loopback_addresses_reach_this_machine_only(host: str) -> None:
    assert load_settings(host=host).loopback_only


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "faces.example"])
def test_other_addresses_may_be_reached_by_others(host: str) -> None:
    assert not load_settings(host=host).loopback_only


def test_a_misspelt_variable_is_pointed_out() -> None:
    assert list(unknown_variables({"SAMEFACE_THREHOLD": "1", "SAMEFACE_PORT": "1", "HOME": "/"})) == [
        "SAMEFACE_THREHOLD is not a setting; did you mean SAMEFACE_THRESHOLD?"
    ]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere threads read photographs")
def test_photographs_are_read_in_processes_unless_a_gpu_is_shared_or_threads_are_asked_for() -> None:
    assert Settings().inference_in == "processes"
    assert Settings(device="cuda").inference_in == "threads"
    assert Settings(inference="threads").inference_in == "threads"
    assert Settings(device="cuda", inference="processes").inference_in == "processes"
