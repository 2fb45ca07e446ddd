"""The Kubernetes manifests: held to the schemas of the API, and to what the service and its image promise."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.database_url import with_secrets
from app.settings import Settings

FOLDER = Path(__file__).parents[2] / "docker" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((FOLDER / name).read_text()) for name in KUSTOMIZATION["resources"]
}
VERSIONS = ["1.31", "1.36"]  # unhealthyPodEvictionPolicy is stable since the first
LABEL = "app.kubernetes.io/name"


def selected(manifest: dict[str, Any]) -> dict[str, Any]:
    """With the selector that kustomize puts in."""
    if manifest["kind"] != "Deployment":
        return manifest
    return {**manifest, "spec": {**manifest["spec"], "selector": {"matchLabels": {LABEL: "sameface"}}}}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_as_the_api_wants_it(name: str, version: str) -> None:
    kubernetes_validate.validate(selected(MANIFESTS[name]), version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_kustomize_makes_of_them_is_too(version: str) -> None:
    kustomize = shutil.which("kustomize")
    if kustomize is None:
        pytest.skip("kustomize is not installed")
    built = subprocess.run([kustomize, "build", str(FOLDER)], capture_output=True, text=True, check=True, timeout=60)
    documents = list(yaml.safe_load_all(built.stdout))
    assert {document["kind"] for document in documents} >= {
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
    }
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
        assert document["metadata"]["labels"][LABEL] == "sameface"


def test_a_manifest_with_a_misspelt_field_is_noticed() -> None:
    wrong = {**MANIFESTS["service.yaml"], "spec": {"prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


POD: dict[str, Any] = MANIFESTS["deployment.yaml"]["spec"]["template"]["spec"]
CONTAINER: dict[str, Any] = POD["containers"][0]


@pytest.mark.parametrize("container", [*POD["initContainers"], CONTAINER], ids=lambda container: container["name"])
def test_a_container_may_do_no_more_than_it_must(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert POD["securityContext"]["runAsNonRoot"]
    assert POD["securityContext"]["runAsUser"] == 10001


def test_a_pod_of_the_image_reads_its_database_from_the_secret(tmp_path: Path) -> None:
    """What the image sets and what the pod sets, together."""
    lines = (FOLDER.parent / "Dockerfile").read_text()
    of_image = dict(re.findall(r"(SAMEFACE_\w+)=(\S+)", lines[: lines.index("AS serve-gpu")]))
    of_pod = {row["name"]: row["value"] for row in CONTAINER["env"] if "value" in row}
    (tmp_path / "url").write_text("postgresql+psycopg://sameface:secret@host/sameface\n")
    together = of_image | of_pod | {"SAMEFACE_DATABASE_URL_FILE": str(tmp_path / "url")}
    given = {name.removeprefix("SAMEFACE_").lower(): value for name, value in together.items()}
    assert with_secrets(given)["database_url"].endswith("@host/sameface")


def test_a_disruption_budget_names_the_pods_that_it_protects() -> None:
    assert MANIFESTS["disruption-budget.yaml"]["spec"]["selector"] == {"matchLabels": {LABEL: "sameface"}}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_job_of_the_first_key_is_as_confined_as_a_pod_and_sees_the_same_secrets(version: str) -> None:
    job = yaml.safe_load((FOLDER / "first-key.yaml").read_text())
    kubernetes_validate.validate(job, version, strict=True)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"] == CONTAINER["securityContext"]
    assert (pod["securityContext"], pod["volumes"]) == (POD["securityContext"], POD["volumes"])
    assert container["volumeMounts"] == CONTAINER["volumeMounts"]
    assert [row for row in container["env"] if row not in CONTAINER["env"]] == []


def test_settings_exist() -> None:
    known = {f"SAMEFACE_{name.upper()}" for name in Settings.model_fields}
    literals = [line.partition("=")[0] for line in KUSTOMIZATION["configMapGenerator"][0]["literals"]]
    given = literals + [row["name"] for row in CONTAINER["env"] if row["name"].startswith("SAMEFACE_")]
    assert set(given) <= known
    assert POD["enableServiceLinks"] is False


def environment(name: str) -> str:
    return next(str(row["value"]) for row in CONTAINER["env"] if row["name"] == name)


def test_a_pod_is_given_the_time_that_stopping_takes() -> None:
    drain_seconds = float(environment("SAMEFACE_DRAIN_SECONDS"))
    assert POD["terminationGracePeriodSeconds"] > drain_seconds + Settings().shutdown_grace_seconds
    probe = CONTAINER["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < drain_seconds


def test_a_database_that_is_away_restarts_nothing() -> None:
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    startup = CONTAINER["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= Settings().start_wait_seconds


def test_the_secrets_that_are_read_are_mounted() -> None:
    mounted = {mount["mountPath"]: mount["name"] for mount in CONTAINER["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    for name in ("SAMEFACE_DATABASE_URL_FILE", "SAMEFACE_TEMPLATE_KEYS_FILE"):
        assert "secret" in volumes[mounted[str(Path(environment(name)).parent)]]


def test_the_autoscaler_asks_for_the_metric_that_the_adapter_makes() -> None:
    (rule,) = yaml.safe_load((FOLDER / "monitoring" / "adapter-rules.yaml").read_text())
    asked = MANIFESTS["autoscaler.yaml"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert rule["name"]["as"] == asked
    assert re.match(r"sameface_queue_depth\{queue=\"embed\"", rule["seriesQuery"])
    assert (
        MANIFESTS["autoscaler.yaml"]["spec"]["minReplicas"]
        > MANIFESTS["disruption-budget.yaml"]["spec"]["maxUnavailable"]
    )
