"""How the service is doing, asked again and again."""

from tests.console.conftest import Console, Open, picture


def test_health_queues_latency_and_the_index_are_shown(console: Console, portrait: bytes) -> None:
    console.open("verify")
    console.choose(0, picture(portrait))
    console.choose(1, picture(portrait))
    console.page.locator(".decision").wait_for()
    page = console.open("status")
    page.get_by_text("Ready", exact=True).wait_for()
    health = page.get_by_label("Health").inner_text()
    for check in ("Model", "Search", "Index", "Database", "Disk"):
        assert check in health
    now = page.get_by_label("Now", exact=True).inner_text()
    for gauge in ("Requests a second", "Waiting in queues", "Index revision", "in step with the database"):
        assert gauge in now
    assert "Embed" in page.get_by_role("region", name="Latency by stage").inner_text()
    assert "/verify" in page.get_by_role("region", name="Requests by route").inner_text()


def test_it_is_refreshed_by_itself_and_by_the_button_unless_paused(console: Console) -> None:
    page = console.open("status")
    page.get_by_text("As of").wait_for()
    with page.expect_response("**/health/ready", timeout=10_000):
        pass
    page.get_by_label("Pause").check()
    with page.expect_response("**/metrics"):
        page.get_by_role("button", name="Refresh now").click()


def test_what_fails_is_told(open_console: Open) -> None:
    console = open_console()
    check = {"ok": False, "detail": "the database did not answer within 2 s", "facts": {}}
    report = {"status": "degraded", "checks": {"database": check}}
    console.page.route("**/health/ready", lambda route: route.fulfill(status=503, json=report))
    page = console.open("status")
    page.get_by_text("Degraded", exact=True).wait_for()
    page.get_by_text("The database did not answer within 2 s").wait_for()
