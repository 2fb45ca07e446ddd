"""This machine: Python, ONNX Runtime, the model, threads, the disk and the port. Nothing is changed."""

import importlib.metadata
import os
import platform
import shutil
import socket
import stat
from collections.abc import Iterator

from app.cores import affinity_cores, available_cores, cpu_quota
from app.doctor.finding import Finding, ok, warning, wrong
from app.errors import SamefaceError
from app.settings import Settings, unknown_variables, variable

_READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """Every finding but those of the database."""
    yield ok("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _variables()
    yield from _onnxruntime(settings)
    yield _model(settings)
    yield _threads(settings)
    yield _disk(settings)
    yield _template_keys(settings)
    yield _port(settings)


def _variables() -> Iterator[Finding]:
    for sentence in unknown_variables(os.environ):
        yield warning("settings", sentence, "Correct or remove it; `sameface settings` lists them all.")


def _onnxruntime(settings: Settings) -> Iterator[Finding]:
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    if not installed:
        advice = "Install one, in the folder of sameface: pip install '.[cpu]', or '.[gpu]' for CUDA."
        yield wrong("onnxruntime", "it is not installed", advice)
        return
    if len(installed) > 1:
        advice = "pip uninstall both, then install the one that you want: they write into the same folder."
        yield warning("onnxruntime", "onnxruntime and onnxruntime-gpu are both installed", advice)
    import onnxruntime as ort

    import app.faces.runtime  # noqa: F401 - it prepares what it imports

    providers = ", ".join(ort.get_available_providers())
    found = f"{installed[0]} {ort.__version__} with {providers}; {variable('device')} is {settings.device}"
    if settings.device == "cuda" and "CUDAExecutionProvider" not in providers:
        advice = f"Install onnxruntime-gpu with a matching CUDA, or set {variable('device')}=cpu."
        yield wrong("onnxruntime", found, advice)
    else:
        yield ok("onnxruntime", found)


def _model(settings: Settings) -> Finding:
    """Loads the detector and the embedder, which tries itself out when it is loaded."""
    try:
        from app.faces.decode import ImageLimits
        from app.faces.inference import NetworkOptions

        _, embedder = NetworkOptions(
            settings.weights_dir,
            f"{settings.model}.onnx",
            device=settings.device,
            limits=ImageLimits(settings.max_image_bytes, settings.max_image_pixels),
            min_face_px=settings.min_face_px,
            detect_side_px=settings.detect_side_px,
        ).open()
    except (SamefaceError, ImportError) as error:
        advice = (
            f"Set {variable('weights_dir')} and {variable('model')} to a folder of ONNX files and one of its models."
        )
        return wrong("model", str(error), advice)
    card = embedder.card
    return ok("model", f"{card.id}, {card.embedding_size} numbers a face, sha-256 {card.sha256[:12]}, runs")


def _threads(settings: Settings) -> Finding:
    allowed, quota = available_cores(), cpu_quota()
    processes = settings.inference_in == "processes"
    detecting = settings.image_workers * (settings.detector_threads if processes else 1)
    embedding = settings.embedder_threads * (settings.image_workers if processes else 1)
    found = (
        f"{affinity_cores()} cores{'' if quota is None else f', of which a quota allows {quota:g}'}; "
        f"{settings.image_workers} {settings.inference_in} read photographs, {settings.embedder_threads} "
        f"{'threads embed' if settings.embedder_threads > 1 else 'thread embeds'}"
        f"{' in each' if processes else ''}"
    )
    if max(detecting, embedding) > allowed:
        advice = (
            f"Set {variable('image_workers')} to {allowed} and {variable('embedder_threads')} to 1: more threads than "
            "cores wait for each other."
        )
        return warning("threads", found, advice)
    return ok("threads", found)


def _disk(settings: Settings) -> Finding:
    file = settings.sqlite_file
    if file is None:
        return ok("disk", "the database is not on this machine's disk as far as sameface knows")
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK):
        return wrong("disk", f"{folder} cannot be written", f"Give its owner back, or set {variable('database_url')}.")
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free beside {file}"
    if free < settings.min_free_disk_bytes:
        advice = f"Make room: the service says `degraded` below {variable('min_free_disk_bytes')}."
        return wrong("disk", found, advice)
    return ok("disk", found)


def _template_keys(settings: Settings) -> Finding:
    from app.gallery.sealing import read_keys

    try:
        keys = read_keys(settings.template_keys, settings.template_keys_file)
    except SamefaceError as error:
        return wrong("encryption", error.message, "Give the keys as docs/data-protection.md describes.")
    file = settings.template_keys_file
    if keys.primary is None:
        advice = f"Set {variable('template_keys_file')}; docs/data-protection.md, Templates at rest."
        return warning("encryption", "embeddings are kept in clear in the database", advice)
    # A file of another owner is a secret that somebody mounts, who has to let this process read it.
    if file is not None and file.stat().st_uid == os.getuid() and file.stat().st_mode & _READABLE_BY_OTHERS:
        return warning("encryption", f"others can read {file}", f"chmod 600 {file}")
    return ok("encryption", f"embeddings are encrypted with key {keys.primary_id}")


def _port(settings: Settings) -> Finding:
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return _taken(host, port, error)
    return ok("port", f"{host}, port {port} is free")


def _taken(host: str, port: int, error: OSError) -> Finding:
    import httpx

    try:
        address = f"[{host}]" if ":" in host else host
        answer = httpx.get(f"http://{address}:{port}/health/ready", timeout=3, trust_env=False)
        status = answer.json()["status"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        advice = f"Stop what listens there, or set {variable('host')} and {variable('port')}."
        return wrong("port", f"{host}, port {port} cannot be listened on: {error.strerror}", advice)
    if status != "ready":
        return warning("port", f"a service answers there and says {status}", "Its /health/ready and its log say why.")
    return ok("port", f"a service answers on {host}, port {port}, and is ready")


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
