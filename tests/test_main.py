"""What is wrong with a configuration is found when the service opens, and said in a sentence."""

import subprocess
import sys
import threading
from pathlib import Path

import onnxruntime as ort
import pytest

from app.errors import ConfigurationError
from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.keys.key import Scope
from app.keys.store import KeyStore
from app.main import create_app, open_service
from app.settings import Settings


@pytest.mark.parametrize(
    ("update", "fault"),
    [
        ({"weights_dir": Path("/nowhere")}, "no model file at /nowhere/"),
        ({"model": "missing"}, "missing.onnx"),
        ({"model": "mtcnn_pnet"}, "model_card"),
        pytest.param(
            {"device": "cuda"},
            "SAMEFACE_DEVICE=cpu",
            marks=pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="CUDA is here"),
        ),
        ({"database_url": "sqlite:////proc/nowhere/sameface.db"}, "/proc/nowhere/sameface.db"),
    ],
    ids=["weights", "model", "card", "device", "database"],
)
def test_the_service_does_not_open_over_a_wrong_setting(
    settings: Settings, update: dict[str, object], fault: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal, open_service(settings.model_copy(update=update)):
        pass
    assert fault in refusal.value.message


def test_making_the_application_opens_nothing(settings: Settings, tmp_path: Path) -> None:
    database = tmp_path / "sameface.db"
    create_app(settings.model_copy(update={"database_url": f"sqlite:///{database}"}))
    assert not database.exists()


def test_threads_end_with_the_service(settings: Settings, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with open_service(settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'sameface.db'}"})):
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) <= before


def own_database(settings: Settings, folder: Path, **update: object) -> Settings:
    return settings.model_copy(update={"database_url": f"sqlite:///{folder / 'sameface.db'}", **update})


def test_a_public_address_is_not_served_without_keys(settings: Settings, tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"(?s)sameface keys create.*ALLOW_UNAUTHENTICATED_PUBLIC=true"),
        open_service(own_database(settings, tmp_path, host="0.0.0.0")),
    ):
        pass


def test_a_public_address_is_served_deliberately(settings: Settings, tmp_path: Path) -> None:
    public = own_database(settings, tmp_path, host="0.0.0.0", allow_unauthenticated_public=True)
    with open_service(public) as service:
        assert not service.keyring.required


def test_a_key_lifts_the_refusal_of_a_public_address(settings: Settings, tmp_path: Path) -> None:
    public = own_database(settings, tmp_path, host="0.0.0.0")
    engine = open_engine(public.database_url)
    migrate(engine)
    KeyStore(engine).create("any", [Scope.VERIFY])
    engine.dispose()
    with open_service(public) as service:
        assert service.keyring.required


def test_importing_the_application_loads_nothing_slow() -> None:
    slow = ("alembic", "faiss", "limits", "prometheus_client", "sklearn", "sqlalchemy")
    script = f"import sys, app.main, app.cli; print(sorted(set({slow!r}) & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
