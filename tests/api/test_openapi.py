"""The OpenAPI document is complete: every operation with its problems, examples and limits."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from app.api.answer_examples import EXAMPLES
from app.api.enrolment import EnrollResponse
from app.api.identification import IdentifyResponse
from app.api.problem_examples import example_of
from app.api.problems import STATUS
from app.api.schemas import Problem
from app.api.verification import SubjectVerifyResponse, VerifyResponse
from app.main import create_app
from app.settings import Settings

DOCUMENT = create_app(Settings()).openapi()
ANSWERED = sorted(set(STATUS) - {"configuration"})
ANSWERS: dict[str, type[BaseModel]] = {
    model.__name__: model for model in (EnrollResponse, IdentifyResponse, SubjectVerifyResponse, VerifyResponse)
}
OPEN = {"/health/live", "/health/ready"}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = dict(operations())


@pytest.mark.parametrize("code", ANSWERED)
def test_every_problem_has_an_example_of_its_own_shape(code: str) -> None:
    example = example_of(code)
    assert Problem.model_validate(example).code == code
    assert example["status"] == STATUS[code]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_what_it_does_and_what_it_answers(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    answers = operation["responses"]
    assert any(status.startswith("2") for status in answers)
    if name.split()[1] in OPEN:
        return
    assert {"401", "403", "429", "503", "504"} <= answers.keys()
    for status in (status for status in answers if status >= "400"):
        content = answers[status]["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert all(example["value"]["status"] == int(status) for example in content["examples"].values())


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if "requestBody" in operation])
def test_every_body_has_two_forms_an_example_and_limits(name: str) -> None:
    content = OPERATIONS[name]["requestBody"]["content"]
    assert content.keys() == {"multipart/form-data", "application/json"}
    schema = content["application/json"]["schema"]
    assert content["application/json"]["example"].keys() <= schema["properties"].keys()
    assert schema["additionalProperties"] is False
    assert {"400", "413", "415"} <= OPERATIONS[name]["responses"].keys()


def test_no_reference_leads_nowhere() -> None:
    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(DOCUMENT)):
        assert name in DOCUMENT["components"]["schemas"]
    assert "HTTPValidationError" not in json.dumps(DOCUMENT)


def test_keys_are_documented() -> None:
    schemes = {scheme["type"] for scheme in DOCUMENT["components"]["securitySchemes"].values()}
    assert schemes == {"apiKey", "http"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_answers_are_such_answers(name: str) -> None:
    example = json.loads(json.dumps(EXAMPLES[name]))
    shown = ANSWERS[name].model_validate(example, strict=False).model_dump(mode="json")
    assert shown.keys() == example.keys() | {key for key, value in shown.items() if value is None}
    assert DOCUMENT["components"]["schemas"][name]["examples"] == [EXAMPLES[name]]
