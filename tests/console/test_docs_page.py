"""The page of the API's documentation in a real browser: drawn, used, and without a fault, from this server alone."""

import re

from tests.console.conftest import Console


def test_the_docs_page_shows_every_operation_and_asks_no_other_host(console: Console) -> None:
    page = console.page
    answer = page.goto("/docs")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    page.locator(".opblock").first.wait_for()
    documented = page.evaluate("async () => (await fetch('openapi.json')).json()")
    operations = sum(len(methods) for methods in documented["paths"].values())
    assert page.locator(".opblock").count() == operations
    assert page.locator(".info .title").inner_text().startswith("sameface")


def test_a_request_can_be_tried_from_the_docs_page(console: Console) -> None:
    page = console.page
    page.goto("/docs")
    live = page.locator(".opblock", has_text="/health/live")
    live.locator(".opblock-summary-control").click()
    live.get_by_role("button", name="Execute").click()
    live.locator(".live-responses-table .response-col_status", has_text="200").wait_for()
    assert re.search(r'"status":\s*"alive"', live.locator(".live-responses-table").inner_text())


def test_an_inline_script_does_not_run_on_the_docs_page(console: Console) -> None:
    page = console.page
    page.goto("/docs")
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        " document.body.append(script); }"
    )
    assert page.evaluate("() => window.ran") is None
    assert any("Content Security Policy" in fault for fault in console.faults)
    console.faults.clear()
