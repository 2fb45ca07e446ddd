"""A request and how its answer is read."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request: `fields` travel as a form where there are `images`, else as JSON; those that are None are left out."""

    method: str
    path: str
    read: Callable[[bytes], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] | None = None
    images: Sequence[tuple[str, bytes]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: frozenset[int] = frozenset({200, 201})

    def as_request(self) -> dict[str, Any]:
        """The arguments of httpx's `request`."""
        request: dict[str, Any] = {"method": self.method, "url": self.path, "headers": dict(self.headers)}
        request["params"] = _given(self.query)
        if self.images:
            request["data"] = {name: _text(value) for name, value in _given(self.fields or {}).items()}
            request["files"] = [(name, ("image", content)) for name, content in self.images]
        elif self.fields is not None:
            request["json"] = dict(self.fields)
        return request


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def plain(value: Any) -> Any:
    """As JSON has it: times in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else value


def _text(value: Any) -> str:
    """A form carries text: metadata as JSON, times in ISO 8601."""
    return json.dumps(value) if isinstance(value, Mapping) else str(plain(value))
