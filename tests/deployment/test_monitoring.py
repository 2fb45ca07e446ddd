"""The dashboard and the alerts ask for metrics that the service has; Prometheus scrapes the replicas that there are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.service import FaceService

MONITORING = Path(__file__).parents[2] / "docker" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana" / "dashboards" / "sameface.json").read_text())
ALERTS: dict[str, Any] = yaml.safe_load((MONITORING / "alerts.yml").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
EXPRESSIONS = {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]
} | {rule["alert"]: rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]}


@pytest.fixture(scope="module")
def exported(service: FaceService) -> dict[str, set[str]]:
    """Labels by the name of each sample that a service which has done everything once exports."""
    metrics = service.metrics
    metrics.answered("POST", "/verify", 503, 0.1, "overloaded")
    for family in (metrics._decisions, metrics._distance, metrics._images, metrics._stage_seconds):
        family.labels(*["any"] * len(family._labelnames))
    return {sample.name: set(sample.labels) for family in metrics.registry.collect() for sample in family.samples}


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_what_is_asked_for_is_exported_with_its_labels(where: str, exported: dict[str, set[str]]) -> None:
    expression = EXPRESSIONS[where]
    names = re.findall(r"\b(?:sameface|process)_\w+|\bup\b", expression)
    assert names
    for name in names:
        assert name in exported or name == "up", f"{name} is not a metric of the service"
    known = set().union(*(exported.get(name, set()) for name in names)) | {"job", "instance"}
    used = {label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r",\s*", labels)}
    used |= set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", expression))
    assert used <= known


def test_panels_do_not_overlap_and_have_names() -> None:
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in PANELS]
    cells = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_dashboard_asks_the_prometheus_that_is_provisioned() -> None:
    (source,) = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}


def test_every_replica_is_scraped() -> None:
    compose = yaml.safe_load((MONITORING.parents[1] / "docker-compose.yml").read_text())["services"]
    (job,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    replicas = {f"{name}:8000" for name in compose if re.fullmatch(r"api-\d+", name)}
    assert set(job["static_configs"][0]["targets"]) == replicas
