"""docker-compose.yml: read by docker compose itself where it is here, and held to what its parts promise each other."""

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.gallery.sealing import read_keys
from app.settings import Settings

REPOSITORY = Path(__file__).parents[2]
COMPOSE = REPOSITORY / "docker-compose.yml"
CADDYFILE = REPOSITORY / "docker" / "proxy" / "Caddyfile"
REPLICAS = ["api-1", "api-2", "api-3"]
MILVUS = ["milvus", "etcd", "minio"]


def document() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return parsed


SERVICES: dict[str, dict[str, Any]] = document()["services"]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """What an operator checks out, with nothing of his own yet."""
    shutil.copy(COMPOSE, tmp_path)
    shutil.copytree(REPOSITORY / "docker", tmp_path / "docker", ignore=shutil.ignore_patterns("secrets"))
    return tmp_path


def make_secrets(folder: Path) -> str:
    script = folder / "docker" / "make-secrets.sh"
    return subprocess.run([str(script)], check=True, capture_output=True, text=True, timeout=30).stdout


def test_docker_compose_can_read_it(copied: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode != 0:
        pytest.skip("docker compose is not installed")
    make_secrets(copied)
    shutil.copy(REPOSITORY / ".env.example", copied / ".env")
    command = [docker, "compose", "--profile", "gpu", "--profile", "monitoring", "--profile", "milvus", "config"]
    read = subprocess.run(command, cwd=copied, check=True, capture_output=True, text=True, timeout=60)
    assert read.stderr == ""
    services = yaml.safe_load(read.stdout)["services"]
    assert services.keys() == SERVICES.keys()
    (device,) = services["api-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])
    assert services["api-gpu"]["environment"]["SAMEFACE_DEVICE"] == "cuda"


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_may_do_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "privileged" not in service
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_a_service_that_runs_on_has_limits_and_comes_back(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    limits = SERVICES[name]["deploy"]["resources"].get("limits") or document()["x-api"]["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}


def test_images_of_others_are_of_fixed_versions() -> None:
    for name, service in SERVICES.items():
        if not service["image"].startswith("${"):
            assert re.search(r":(v?\d+\.\d+|RELEASE\.\d{4}-\d\d-\d\dT)", service["image"]), name


def test_variables_are_explained_with_the_defaults_that_they_have() -> None:
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE.read_text()))
    explained = dict(re.findall(r"^(\w+)=(.*)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    assert used == explained


def test_no_secret_stands_in_the_environment() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|TOKEN|SECRET", name):
                assert str(value).startswith("/run/secrets/"), name


def test_the_database_and_the_replicas_have_no_way_out() -> None:
    networks = document()["networks"]
    assert networks["api"]["internal"]
    assert networks["database"]["internal"]
    assert networks["index"]["internal"]
    for name in ["postgres", "migrate", *REPLICAS, "api-gpu", "prometheus"]:
        assert set(SERVICES[name]["networks"]) <= {"api", "database", "index"}, name
        assert "ports" not in SERVICES[name]


def test_milvus_and_what_it_needs_are_there_where_they_are_asked_for_and_reached_by_the_replicas_alone() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["milvus"]} == set(MILVUS)
    assert document()["networks"]["milvus"]["internal"]
    for name in MILVUS:
        assert "ports" not in SERVICES[name], name
        assert "healthcheck" in SERVICES[name], name
    beside = {name for name, service in SERVICES.items() if "milvus" in service.get("networks", [])}
    assert beside == set(MILVUS)
    assert SERVICES["milvus"]["networks"] == ["index", "milvus"]
    assert {name for name, service in SERVICES.items() if "index" in service.get("networks", [])} == {
        "milvus", "api-gpu", *REPLICAS,
    }  # fmt: skip


def test_milvus_keeps_nothing_outside_its_volumes() -> None:
    for name, folder in {"milvus": "/var/lib/milvus", "etcd": "/etcd", "minio": "/minio_data"}.items():
        assert SERVICES[name]["volumes"] == [f"{name}:{folder}"]
        assert name in document()["volumes"]
    assert "--data-dir=/etcd" in SERVICES["etcd"]["command"]
    assert SERVICES["minio"]["command"][-1] == "/minio_data"


def test_the_replicas_know_milvus_and_do_not_wait_for_it() -> None:
    environment = document()["x-sameface"]["environment"]
    assert environment["SAMEFACE_INDEX"] == "${INDEX:-faiss}"
    assert environment["SAMEFACE_MILVUS_URI"] == "http://milvus:19530"
    for name in REPLICAS:
        assert SERVICES[name]["depends_on"].keys() == {"migrate"}


def test_the_configuration_of_milvus_agrees_with_the_secrets_of_those_that_it_talks_to(copied: Path) -> None:
    make_secrets(copied)
    folder = copied / "docker" / "secrets"
    configuration = yaml.safe_load((folder / "milvus_config").read_text())
    security = configuration["common"]["security"]
    assert security["authorizationEnabled"] is True
    assert (folder / "milvus_token").read_text().strip() == f"root:{security['defaultRootPassword']}"
    assert 6 <= len(security["defaultRootPassword"]) <= 72  # what Milvus takes
    storage = configuration["minio"]
    assert storage["accessKeyID"] == SERVICES["minio"]["environment"]["MINIO_ROOT_USER"]
    assert storage["secretAccessKey"] == (folder / "minio_password").read_text().strip()
    (mounted,) = SERVICES["milvus"]["secrets"]
    assert mounted == {"source": "milvus_config", "target": "/milvus/configs/user.yaml"}


def test_settings_of_the_service_exist() -> None:
    known = {f"SAMEFACE_{name.upper()}" for name in Settings.model_fields}
    for service in SERVICES.values():
        assert {name for name in service.get("environment", {}) if name.startswith("SAMEFACE_")} <= known


def test_the_proxy_asks_the_replicas_that_there_are() -> None:
    upstreams = re.search(r"UPSTREAMS:-(.*)\}", COMPOSE.read_text())
    assert upstreams
    assert upstreams[1].split() == [f"{replica}:8000" for replica in REPLICAS]


def seconds(option: str) -> float:
    """A duration of the Caddyfile."""
    found = re.search(rf"^\s*{option} (\d+)s$", CADDYFILE.read_text(), re.MULTILINE)
    assert found, option
    return float(found[1])


def image_setting(name: str) -> float:
    found = re.search(rf"{name}=(\d+)", (REPOSITORY / "docker" / "Dockerfile").read_text())
    assert found, name
    return float(found[1])


def test_the_proxy_notices_a_replica_that_drains_before_it_stops() -> None:
    fails = re.search(r"health_fails (\d+)", CADDYFILE.read_text())
    assert fails
    assert seconds("health_interval") * (int(fails[1]) + 1) < image_setting("SAMEFACE_DRAIN_SECONDS")


def test_only_the_proxy_gives_up_an_idle_connection() -> None:
    assert seconds("keepalive") < Settings().keep_alive_seconds


def test_containers_are_given_the_time_that_stopping_takes() -> None:
    grace = int(SERVICES["api-1"]["stop_grace_period"].removesuffix("s"))
    assert grace > image_setting("SAMEFACE_DRAIN_SECONDS") + Settings().shutdown_grace_seconds


def test_secrets_are_made_once_and_nobody_else_on_the_machine_can_reach_them(copied: Path) -> None:
    assert "postgres_password" in make_secrets(copied)
    folder = copied / "docker" / "secrets"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert before.keys() == document()["secrets"].keys()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    assert len(base64.b64decode(before["template_keys"])) == 32
    assert read_keys(None, folder / "template_keys").primary is not None
    make_secrets(copied)
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("site", "tls"),
    [("http://", "automatic"), ("faces.example.com", "automatic"), ("https://faces.internal", "internal")],
)
def test_the_proxy_takes_its_configuration(site: str, tls: str) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed")
    environment = {**os.environ, "SITE": site, "TLS": tls, "UPSTREAMS": "api-1:8000 api-2:8000"}
    command = [caddy, "validate", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    read = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert read.returncode == 0, read.stderr
