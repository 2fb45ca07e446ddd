"""The database's URL from files, so that a password needs to stand in no environment and no command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote


def with_secrets(given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with `database_url` read from `database_url_file`, or completed by `database_password_file`.

    Raises ValueError saying which of the variables contradict each other, or which file cannot be read.
    """
    url_file, password_file = given.get("database_url_file"), given.get("database_password_file")
    completed = dict(given)
    if url_file is not None:
        if given.get("database_url") is not None or password_file is not None:
            raise ValueError(
                "SAMEFACE_DATABASE_URL_FILE has the whole URL: unset SAMEFACE_DATABASE_URL and "
                "SAMEFACE_DATABASE_PASSWORD_FILE"
            )
        completed["database_url"] = _secret(url_file, "SAMEFACE_DATABASE_URL_FILE")
    elif password_file is not None:
        password = _secret(password_file, "SAMEFACE_DATABASE_PASSWORD_FILE")
        completed["database_url"] = _with_password(str(given.get("database_url")), password)
    return completed


def _secret(path: str | Path, variable: str) -> str:
    """What the file holds, without the line end that editors and `echo` leave."""
    try:
        secret = Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(f"{variable}={path} cannot be read: {reason}") from None
    if not secret:
        raise ValueError(f"{variable}={path} is empty")
    return secret


def _with_password(url: str, password: str) -> str:
    """The URL with a password after its user, each character escaped that an URL would take for its own."""
    scheme, _, rest = url.partition("://")
    user, at, place = rest.partition("@")
    if not scheme.startswith("postgresql") or not at or not user or ":" in user or "/" in user:
        raise ValueError(
            "SAMEFACE_DATABASE_PASSWORD_FILE needs a SAMEFACE_DATABASE_URL with a user and without a password, such as "
            "postgresql+psycopg://sameface@postgres/sameface"
        )
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}"
