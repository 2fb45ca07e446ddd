"""Who may do what: each route declares the scopes that it asks for, in one line.

    @router.post("/identify", dependencies=[needs(Scope.IDENTIFY, gallery=GalleryIn.BODY)])

A route that declares nothing is open to `admin` keys only, and a test fails until it does. Before any key exists,
everything is open to callers on this machine; see app.keys.keyring for how keys are checked.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette import types

from app import logs
from app.api.rates import RateLimiter
from app.domain import DEFAULT_GALLERY
from app.errors import Forbidden, Unauthenticated
from app.keys.key import ApiKey, Scope
from app.settings import Settings, is_loopback

_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="an API key with the scope that is asked for")
_BEARER = HTTPBearer(auto_error=False, description="the same key, the other usual way")

# A host's name or address with a port or none (RFC 9110, section 7.2).
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::\d{0,5})?")
_SHOWN_HOST = 100  # characters of it

# Set in the scope of a request by `of_operator` alone: nothing that comes over a network can set it.
_OPERATOR = "sameface.operator"


class GalleryIn(StrEnum):
    """Where a route's gallery is named, for keys that are bound to galleries."""

    NOTHING = "nothing"  # it touches none: every key may
    BODY = "body"  # field `gallery`, which app.api.body checks
    PARAMETER = "parameter"  # path or query parameter `gallery`, the default gallery where it is left out
    ANY = "any"  # it touches several or all: no bound key may
    KEY = "key"  # named nowhere: it is the one that the key is bound to, see gallery_of_key


@dataclass(frozen=True, slots=True)
class Access:
    """A dependency: the caller's key must have one of `scopes` (none: any key will do) and reach the gallery."""

    scopes: tuple[Scope, ...]
    gallery: GalleryIn

    async def __call__(
        self,
        request: Request,
        header: Annotated[str | None, Security(_HEADER)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> None:
        """Raises Unauthenticated, RateLimited or Forbidden.

        Leaves the key in `request.state.key` (None where no key exists) and its id in `logs.key_id`.
        """
        if request.scope.get(_OPERATOR):
            request.state.key = None
            return
        key = _authenticate(request, (header or "").strip() or (bearer.credentials if bearer else None))
        request.state.key = key
        logs.key_id.set(key.key_id if key else None)
        _check_rate(request, key)
        if key is None:
            return
        self._check_scopes(key)
        self._check_gallery(request, key)

    def _check_scopes(self, key: ApiKey) -> None:
        if self.scopes and not key.permits(self.scopes):
            raise Forbidden(
                f"the API key {key.key_id} lacks the scope {' or '.join(self.scopes)}",
                scopes_needed=[*self.scopes],
                scopes=sorted(key.scopes),
            )

    def _check_gallery(self, request: Request, key: ApiKey) -> None:
        if self.gallery is GalleryIn.PARAMETER:
            name = request.path_params.get("gallery") or request.query_params.get("gallery", DEFAULT_GALLERY)
            check_gallery(request, name)
        elif self.gallery is GalleryIn.KEY:
            gallery_of_key(request)
        elif self.gallery is GalleryIn.ANY and key.galleries is not None:
            raise Forbidden(
                f"the API key {key.key_id} is bound to galleries, and this needs one that is not",
                galleries=sorted(key.galleries),
            )


def needs(*scopes: Scope, gallery: GalleryIn = GalleryIn.ANY) -> Any:
    """For `dependencies=[...]` of a route: any of `scopes`, or any valid key where none is given."""
    return Depends(Access(scopes, gallery))


def public() -> Any:
    """For `dependencies=[...]` of a route that asks for no key."""
    return Depends(_open_to_all)


def of_operator(app: types.ASGIApp) -> types.ASGIApp:
    """The application for whoever has its database at hand and calls it in the same process: no key is asked for."""

    async def call(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        await app({**scope, _OPERATOR: True}, receive, send)

    return call


def check_gallery(request: Request, gallery: str) -> None:
    """Raises Forbidden where the caller's key is bound to other galleries, whether or not this one exists."""
    key: ApiKey | None = getattr(request.state, "key", None)
    if key is not None and not key.reaches(gallery):
        raise Forbidden(
            f"the API key {key.key_id} is not bound to the gallery {gallery!r}",
            field="gallery",
            gallery=gallery,
            galleries=sorted(key.galleries or ()),
        )


def gallery_of_key(request: Request) -> str:
    """The one gallery that the caller's key is bound to, the default gallery where it is bound to none.

    Raises Forbidden where it is bound to several.
    """
    key: ApiKey | None = getattr(request.state, "key", None)
    if key is None or key.galleries is None:
        return DEFAULT_GALLERY
    if len(key.galleries) > 1:
        raise Forbidden(
            f"the API key {key.key_id} is bound to several galleries, and this needs one that is bound to one",
            galleries=sorted(key.galleries),
        )
    (gallery,) = key.galleries
    return gallery


async def refuse_undeclared(request: Request) -> None:
    """Dependency of the whole application: a route that declares no access is for `admin` keys only."""
    if declared(request.scope["route"]) is None:
        header = await _HEADER(request)
        await Access((Scope.ADMIN,), GalleryIn.ANY)(request, header, await _BEARER(request))


def declared(route: Any) -> Access | bool | None:
    """What a route declares: its Access, True where it is public, None where it says nothing."""
    for dependency in getattr(route, "dependencies", ()):
        if isinstance(dependency.dependency, Access):
            return dependency.dependency
        if dependency.dependency is _open_to_all:
            return True
    return None


async def _open_to_all() -> None:
    pass


def _authenticate(request: Request, presented: str | None) -> ApiKey | None:
    """None where no key exists and the caller is let in without one."""
    keyring = request.app.state.service.keyring
    if not keyring.required:
        _check_keyless_caller(request)
        return None
    if presented is None:
        raise Unauthenticated(
            "an API key is needed, in the header X-API-Key or as Authorization: Bearer", reason="missing"
        )
    key: ApiKey = keyring.authenticate(presented)
    return key


def _check_rate(request: Request, key: ApiKey | None) -> None:
    limiter: RateLimiter = request.app.state.rate_limiter
    caller = key.key_id if key else request.client.host if request.client else ""
    limiter.admit(caller, key.rate_limit if key else None)


def _check_keyless_caller(request: Request) -> None:
    """The address that is listened on is checked at start; this holds where a server was given another one."""
    settings: Settings = request.app.state.settings
    if settings.allow_unauthenticated_public:
        return
    if request.client is not None and not is_loopback(request.client.host):
        raise Unauthenticated(
            "no API key exists yet, so only this machine is served; `sameface keys create` makes one", reason="missing"
        )
    # A browser's form can be sent to this machine by any page that it shows; and a page's own host name can be made to
    # lead here, which the name tells.
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise Forbidden("a page of another site sent this; without API keys that is refused")
    # The header itself: the framework passes over one that it cannot read, and names the address listened on instead.
    for host in request.headers.getlist("host"):
        named = _HOST.fullmatch(host)
        if named is None or not is_loopback(named[1].strip("[]").lower()):
            raise Forbidden(
                f"without API keys this machine is served under its own name only, such as localhost, and not as "
                f"{host[:_SHOWN_HOST]!r}",
                field="Host",
            )
