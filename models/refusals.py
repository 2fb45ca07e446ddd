"""What a command refuses, said as the fact alone: no traceback for what whoever runs it can mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import SamefaceError


@contextmanager
def refusals(about: Path | None = None) -> Iterator[None]:
    """Raises SystemExit with the fact of a ValueError, of a SamefaceError, and of a file that cannot be opened.

    `about` stands before a ValueError that does not name it.
    """
    try:
        yield
    except SamefaceError as error:
        raise SystemExit(error.message) from error
    except OSError as error:
        if error.filename is None:  # a pipe or a socket: nothing that was named on the command line
            raise
        raise SystemExit(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        named = about is None or str(about) in str(error)
        raise SystemExit(str(error) if named else f"{about}: {error}") from error
