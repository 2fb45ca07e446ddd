"""/metrics after real requests: what was done is counted, and no one is named."""

from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Client


def scraped(client: Client) -> dict[str, float]:
    """Samples as `name{label=value,...}`."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return {
        f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


def test_requests_stages_decisions_and_distances_are_counted(
    client: Client, gallery: str, portrait: bytes, portrait_again: bytes, no_face: bytes
) -> None:
    before = scraped(client)
    client.post("/verify", files={"image1": portrait, "image2": portrait_again})
    client.post("/verify", files={"image1": portrait, "image2": no_face})
    form = {"subject_id": "secret-subject", "gallery": gallery}
    client.post("/gallery/enroll", files={"image": portrait}, data=form)
    client.post("/identify", files={"image": portrait}, data={"gallery": gallery})
    client.post("/identify", files={"image": no_face}, data={"gallery": gallery})
    client.get(f"/gallery/subjects/secret-subject?gallery={gallery}")
    client.get(f"/gallery/subjects/secret%2Fsubject?gallery={gallery}")
    after = scraped(client)
    change = grown(before, after)
    assert change["sameface_requests_total{method=POST,route=/verify,status=200}"] == 1
    assert change["sameface_requests_total{method=POST,route=/verify,status=422}"] == 1
    assert change["sameface_request_seconds_count{route=/verify}"] == 2
    assert change["sameface_requests_total{method=GET,route=/gallery/subjects/{subject_id},status=404}"] == 1
    assert change["sameface_problems_total{code=no_face}"] == 1
    assert change["sameface_decisions_total{decision=match,operation=verify}"] == 1
    assert change["sameface_decisions_total{decision=identified,operation=identify}"] == 1
    assert change["sameface_decisions_total{decision=no_face,operation=identify}"] == 1
    assert change["sameface_enrolled_images_total{outcome=enrolled}"] == 1
    assert change["sameface_distance_squared_l2_count{operation=verify}"] == 1
    assert change["sameface_distance_squared_l2_count{operation=identify}"] == 1
    assert change["sameface_stage_seconds_count{stage=detect}"] == 3
    assert change["sameface_stage_seconds_count{stage=search}"] >= 2
    assert change["sameface_batch_size_count{queue=embed}"] >= 1
    assert change["sameface_index_faces{}"] == 1
    assert after["sameface_index_applied_revision{}"] == after["sameface_index_database_revision{}"]
    assert after["sameface_queue_depth{queue=embed}"] == 0
    assert after["sameface_requests_in_progress{}"] == 1  # the scrape itself
    assert gallery not in repr(after)
    assert "secret" not in repr(after)
