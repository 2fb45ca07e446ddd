"""The composition root: everything is opened here in the order of its dependence, and closed in reverse."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__
from app.api import clustering, faces, galleries, health, metrics, routes, subjects
from app.api.access import refuse_undeclared
from app.api.console import install_console
from app.api.context import RequestContext
from app.api.docs import install_docs
from app.api.head import HeadAsGet
from app.api.limits import BodyLimit, Deadline, InFlightLimit, UploadTimeout
from app.api.openapi import install_openapi
from app.api.paths import EncodedSlashes
from app.api.problems import install_problem_handlers
from app.api.rates import RateLimiter
from app.errors import ConfigurationError, SamefaceError, for_operator
from app.service import FaceService
from app.settings import Settings, load_settings, variable

if TYPE_CHECKING:
    from app.faces.pipeline import FacePipeline
    from app.faces.quality import QualityRequirements
    from app.gallery.follower import GalleryFollower
    from app.gallery.index import GalleryIndex
    from app.gallery.sealing import TemplateKeys
    from app.metrics import Metrics
    from app.search import GallerySearcher

logger = logging.getLogger(__name__)

DESCRIPTION = """Face verification (1:1) and identification (1:N).

`distance` is the squared L2 distance between unit embeddings, 0 to 4, lower is closer; a match is
`distance < threshold`. FAR is the false-accept rate of one comparison, FPIR the chance that a stranger is given any
name at all by an identification. Errors are RFC 9457 problem documents with a stable `code`."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application; without settings they are read from the environment. Opens nothing until it is served."""
    settings = settings or load_settings()
    app = FastAPI(
        title="sameface",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan(settings),
        docs_url=None,  # FastAPI's page loads its scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_undeclared)],
    )
    app.state.settings = settings
    app.state.draining = False
    app.state.rate_limiter = RateLimiter(settings.rate_limit)
    app.include_router(routes.router)
    app.include_router(faces.router)
    app.include_router(clustering.router)
    app.include_router(galleries.router)
    app.include_router(subjects.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    if settings.compreface:
        from app.compreface.errors import CompreFaceErrors
        from app.compreface.routers import ROUTERS

        for router in ROUTERS:
            app.include_router(router)
    install_problem_handlers(app)
    install_openapi(app)
    install_docs(app)
    install_console(app)
    # The last one added is the outermost.
    app.add_middleware(HeadAsGet)
    app.add_middleware(EncodedSlashes)
    app.add_middleware(BodyLimit, max_bytes=settings.max_request_bytes)
    app.add_middleware(Deadline, seconds=settings.request_deadline_seconds)
    app.add_middleware(UploadTimeout, idle_seconds=settings.upload_idle_seconds)
    app.add_middleware(InFlightLimit, max_requests=settings.max_requests_in_flight)
    if settings.cors_origins is not None:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.strip() for origin in settings.cors_origins.split(",")],
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-API-Key", "X-Request-ID"],
            expose_headers=["Idempotent-Replayed", "Location", "Retry-After", "X-Request-ID"],
        )
    if settings.compreface:
        app.add_middleware(CompreFaceErrors)
    app.add_middleware(RequestContext)
    app.add_middleware(_PlainStartupErrors)
    return app


@contextmanager
def open_service(settings: Settings) -> Iterator[FaceService]:
    """The service over its model, database and index, which holds every enrolled face when this yields.

    Raises ConfigurationError, or NotReady where the database does not answer.
    """
    # Imported here so that `sameface --help` and a wrong setting answer at once.
    from app.decisions import DecisionRecorder
    from app.faces.decode import ImageLimits
    from app.faces.inference import NetworkOptions
    from app.faces.pipeline import open_pipeline
    from app.gallery.answers import EnrolmentAnswers
    from app.gallery.decisions import DecisionLog
    from app.gallery.engine import open_engine
    from app.gallery.follower import GalleryFollower
    from app.gallery.listener import ChangeListener
    from app.gallery.migration import migrate
    from app.gallery.opening import open_index
    from app.gallery.store import GalleryStore
    from app.gallery.sweeper import Sweeper
    from app.keys.keyring import Keyring
    from app.keys.store import KeyStore
    from app.search import GallerySearcher

    if settings.compreface:
        from app.compreface.similarity import check_calibration

    with ExitStack() as opened:
        pipeline = open_pipeline(
            NetworkOptions(
                settings.weights_dir,
                f"{settings.model}.onnx",
                device=settings.device,
                detector_threads=settings.detector_threads,
                embedder_threads=settings.embedder_threads,
                limits=ImageLimits(settings.max_image_bytes, settings.max_image_pixels),
                required=_quality_requirements(settings),
                min_face_px=settings.min_face_px,
                detect_side_px=settings.detect_side_px,
            ),
            inference=settings.inference_in,
            workers=settings.image_workers,
            max_batch=settings.max_embed_batch,
            max_queue=settings.max_embed_queue,
            max_seconds=settings.request_deadline_seconds,
        )
        opened.callback(pipeline.close)
        if settings.compreface:
            check_calibration(pipeline.card)
        engine = open_engine(settings.database_url)
        opened.callback(engine.dispose)
        migrate(engine)
        keyring = Keyring(KeyStore(engine), refresh_seconds=settings.key_refresh_seconds)
        keyring.start()
        opened.callback(keyring.stop)
        _check_address(settings, keyring.required)
        store = GalleryStore(engine, pipeline.card.id, _template_keys(settings))
        store.check_keys()
        store.check_model(start_without_faces=settings.start_without_faces)
        index = open_index(settings, engine, pipeline.card.id, pipeline.card.embedding_size)
        opened.callback(index.close)
        follower = GalleryFollower(store, index, interval_seconds=settings.follow_interval_seconds)
        follower.start()
        opened.callback(follower.stop)
        listener = ChangeListener(engine, follower.wake, retry_seconds=settings.follow_interval_seconds)
        listener.start()
        opened.callback(listener.stop)
        _wait_for_index(follower, index, store.revision(), settings)
        answers = EnrolmentAnswers(engine, kept_hours=settings.idempotency_hours)
        sweeper = Sweeper(
            store,
            follower.wake,
            interval_seconds=settings.sweep_interval_seconds,
            audit_retention=settings.audit_retention,
            answers=answers,
        )
        sweeper.start()
        opened.callback(sweeper.stop)
        decisions = None
        if settings.audit_decisions:
            decisions = DecisionLog(store.record, max_queue=settings.max_audit_queue)
            opened.callback(decisions.close)
        searcher = GallerySearcher(index, max_batch=settings.max_search_batch, max_queue=settings.max_search_queue)
        opened.callback(searcher.close)
        threads = opened.enter_context(ThreadPoolExecutor(settings.database_workers, thread_name_prefix="database"))
        yield FaceService(
            settings,
            pipeline=pipeline,
            searcher=searcher,
            store=store,
            follower=follower,
            keyring=keyring,
            metrics=_open_metrics(pipeline, searcher, index, follower),
            answers=answers,
            database_threads=threads,
            decisions=DecisionRecorder(decisions),
        )


def _quality_requirements(settings: Settings) -> "QualityRequirements":
    from app.faces.quality import QualityRequirements

    return QualityRequirements(
        **{field.name: getattr(settings, f"quality_{field.name}") for field in fields(QualityRequirements)}
    )


def _template_keys(settings: Settings) -> "TemplateKeys":
    from app.gallery.sealing import read_keys

    keys = read_keys(settings.template_keys, settings.template_keys_file)
    if keys.primary is None:
        logger.warning(
            "embeddings are not encrypted in the database; %s or %s turns that on",
            variable("template_keys"),
            variable("template_keys_file"),
        )
    return keys


def _open_metrics(
    pipeline: "FacePipeline", searcher: "GallerySearcher", index: "GalleryIndex", follower: "GalleryFollower"
) -> "Metrics":
    from app.metrics import BatcherMetrics, IndexMetrics, Metrics, ProcessMetrics

    def index_facts() -> dict[str, float | None]:
        lag = follower.lag
        galleries, subjects, faces = index.sizes
        return {
            "galleries": galleries,
            "subjects": subjects,
            "faces": faces,
            "applied_revision": lag.applied_revision,
            "database_revision": lag.database_revision,
            "seconds_since_success": lag.seconds_since_success,
            **index.facts,
        }

    opened = Metrics()
    opened.serving(version=__version__, model=pipeline.card.id, sha256=pipeline.card.sha256)
    opened.watch(
        BatcherMetrics(
            embed=(lambda: pipeline.depth, lambda: pipeline.batch_sizes),
            search=(lambda: searcher.depth, lambda: searcher.batch_sizes),
        )
    )
    opened.watch(IndexMetrics(index_facts))
    opened.watch(ProcessMetrics(lambda: pipeline.inference.deaths))
    return opened


def _wait_for_index(follower: "GalleryFollower", index: "GalleryIndex", revision: int, settings: Settings) -> None:
    if settings.index == "milvus":  # it may be away, or be built for hours: identification waits for that, not the rest
        if not follower.wait_for(revision, settings.index_wait_seconds):
            logger.warning("serving before the gallery index is in step: %s", index.away or "it is not there yet")
        return
    if not follower.wait_for(revision, settings.start_wait_seconds):
        raise ConfigurationError(
            f"the index was not loaded within {settings.start_wait_seconds:g} s; the log says why if the database "
            f"failed, and {variable('start_wait_seconds')} gives it longer"
        )


def _check_address(settings: Settings, keys_exist: bool) -> None:
    if not (keys_exist or settings.loopback_only or settings.allow_unauthenticated_public):
        raise ConfigurationError(
            f"{variable('host')}={settings.host} can be reached from other machines, and there is no API key yet: "
            "make one with `sameface keys create`, or listen on 127.0.0.1, or set "
            f"{variable('allow_unauthenticated_public')}=true if something in front authenticates callers"
        )


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opening = open_service(settings)
        try:
            app.state.service = await asyncio.to_thread(opening.__enter__)
        except SamefaceError as error:
            app.state.startup_error = error
            raise
        card, provider = app.state.service.card, app.state.service.pipeline.provider
        facts = {"model": card.id, "sha256": card.sha256, "provider": provider, "version": __version__}
        logger.info("serving", extra={"facts": facts})
        try:
            yield
        finally:
            await app.state.service.cluster_jobs.close()
            await asyncio.to_thread(opening.__exit__, None, None, None)

    return lifespan


class _PlainStartupErrors:
    """Tells the operator what is wrong with the configuration, and not where in the code it was noticed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_plainly(message: Message) -> None:
            error: SamefaceError | None = getattr(scope["app"].state, "startup_error", None)
            if message["type"] == "lifespan.startup.failed" and error is not None:
                message = {**message, "message": f"sameface cannot start: {for_operator(error)}"}
            await send(message)

        await self._app(scope, receive, send_plainly if scope["type"] == "lifespan" else send)
