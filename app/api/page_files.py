"""Static files of a page, under the headers that the page has."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class PageFiles(StaticFiles):
    """The files of a folder, and of folders in packages, each with the same headers."""

    def __init__(
        self, directory: Path, headers: Mapping[str, str], *, packages: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(directory=directory, packages=list(packages))
        self._headers = headers

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(self._headers)
        return response
