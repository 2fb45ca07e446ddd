"""The photographs of a running CompreFace, by its REST API."""

import functools
import time
from types import TracebackType
from typing import Any, Self

import httpx

from app.bulk.compreface import SavedPhotograph
from app.client.errors import unreachable
from app.errors import ConfigurationError

_PAGE_FACES = 1000
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 60.0


class CompreFaceApi:
    """The face collection of one key. Safe to read photographs from several threads."""

    def __init__(self, url: str, api_key: str) -> None:
        """`url` as in http://localhost:8000; `api_key` of a recognition service."""
        self._http = httpx.Client(base_url=url, headers={"x-api-key": api_key}, timeout=_TIMEOUT_SECONDS)

    def photographs(self) -> list[SavedPhotograph]:
        """All examples of the collection. Raises ConfigurationError where CompreFace refuses, and Unreachable."""
        found: dict[str, SavedPhotograph] = {}
        page = 0
        while True:
            faces, pages = self._page(page)
            for face in faces:
                read = functools.partial(self._photograph, face["image_id"])
                found[face["image_id"]] = SavedPhotograph(face["subject"], face["image_id"], read)
            page += 1
            if page >= pages:
                return list(found.values())

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _page(self, page: int) -> tuple[list[dict[str, str]], int]:
        """Examples, each with `image_id` and `subject`, and how many pages there are."""
        path = "/api/v1/recognition/faces"
        try:
            answer = self._get(path, {"page": page, "size": _PAGE_FACES}).json()
            # Versions before 0.6 have all on one page.
            faces = [{name: str(face[name]) for name in ("image_id", "subject")} for face in answer["faces"]]
            return faces, int(answer.get("total_pages", 1))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigurationError(f"what answers GET {path} is not CompreFace; is this its address?") from None

    def _photograph(self, image_id: str) -> bytes:
        """Empty where it was not saved, or was deleted meanwhile."""
        return self._get(f"/api/v1/recognition/faces/{image_id}/img", {}, missing_is_empty=True).content

    def _get(self, path: str, params: dict[str, Any], *, missing_is_empty: bool = False) -> httpx.Response:
        response = self._answered(path, params)
        if response.status_code == 404 and missing_is_empty:
            return httpx.Response(200, content=b"")
        if not response.is_success:
            raise ConfigurationError(f"CompreFace answered {response.status_code} to GET {path}: {_message(response)}")
        return response

    def _answered(self, path: str, params: dict[str, Any]) -> httpx.Response:
        """A busy or absent server is asked again, a little later each time."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = self._http.get(path, params=params)
            except httpx.RequestError as error:
                if attempt == _ATTEMPTS:
                    raise unreachable(error, self._http.base_url) from None
            else:
                if response.status_code < 500 or attempt == _ATTEMPTS:
                    return response
            time.sleep(0.25 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
