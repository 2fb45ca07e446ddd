"""The index that the settings choose, and what they are refused for."""

import importlib.util
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.errors import ConfigurationError
from app.gallery.faiss_index import FaissIndex
from app.gallery.opening import check_milvus, open_index, open_milvus
from app.settings import load_settings


def test_the_default_is_faiss_in_this_process(sqlite_engine: sa.Engine) -> None:
    index = open_index(load_settings(compress_above_faces=7), sqlite_engine, "model", 128)
    assert isinstance(index, FaissIndex)
    with pytest.raises(ConfigurationError, match="SAMEFACE_INDEX is faiss"):
        open_milvus(load_settings(), sqlite_engine, "model", 128)


def test_without_its_package_the_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[milvus\]'"):
        check_milvus(load_settings(index="milvus"))


def test_what_the_database_encrypts_is_not_put_in_clear_elsewhere_unless_told_so(tmp_path: Path) -> None:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed")
    encrypted = {"index": "milvus", "template_keys_file": tmp_path / "keys"}
    with pytest.raises(ConfigurationError, match="SAMEFACE_MILVUS_CLEAR_VECTORS"):
        check_milvus(load_settings(**encrypted))
    assert check_milvus(load_settings(**encrypted, milvus_clear_vectors=True)).uri == "http://127.0.0.1:19530"


def test_the_token_may_lie_in_a_file(tmp_path: Path) -> None:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed")
    (tmp_path / "token").write_text("root:Milvus\n")
    assert check_milvus(load_settings(index="milvus", milvus_token_file=tmp_path / "token")).token == "root:Milvus"
    with pytest.raises(ConfigurationError, match="SAMEFACE_MILVUS_TOKEN_FILE"):
        check_milvus(load_settings(index="milvus", milvus_token_file=tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="not both"):
        load_settings(milvus_token="secret", milvus_token_file=tmp_path / "token")


def test_authorities_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SAMEFACE_MILVUS_CA_FILE"):
        check_milvus(load_settings(index="milvus", milvus_ca_file=tmp_path / "ca.pem"))


def test_a_token_is_never_shown() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(milvus_token=17)
    assert "17" not in refusal.value.message
