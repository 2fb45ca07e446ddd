"""Log lines as JSON, each with the id of the request that it belongs to. No photograph, embedding or name is logged."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# Set for the duration of a request by app.api.context.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# The code of the problem document that the request was answered with, set by app.api.problems.
problem_code: ContextVar[str | None] = ContextVar("problem_code", default=None)

# The id of the API key that the request presented, set by app.api.access once it is known to be valid.
key_id: ContextVar[str | None] = ContextVar("key_id", default=None)

# These tell at every start which of their parts they load.
_CHATTY = ("faiss.loader", "alembic.runtime.plugins")

_TEXT_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, request_id, key_id, then `extra={"facts": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _facts(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """One line for people, which ends in what JsonFormatter has as members: `request_id=... key_id=... status=200`."""

    def format(self, record: logging.LogRecord) -> str:
        line, _, traceback = super().format(record).partition("\n")
        told = [f"{name}={_plain(value)}" for name, value in _facts(record).items() if value is not None]
        return " ".join([line, *told]) + (f"\n{traceback}" if traceback else "")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """Of which request and key, where there is one, and what the line itself says."""
    of = {"request_id": request_id.get(), "key_id": key_id.get()}
    return {name: value for name, value in of.items() if value} | getattr(record, "facts", {})


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False, default=str)


def configure_logging(level: str, log_format: str) -> None:
    """Send everything, uvicorn's lines included, to standard error in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter(_TEXT_FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("PIL").setLevel(logging.INFO)  # its debugging lines hold the EXIF of photographs
