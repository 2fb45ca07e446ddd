"""`sameface size`: what a gallery of so many faces needs, by index type."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.connection import AsJson
from app.errors import BadRequest
from app.terminal import plain_errors

if TYPE_CHECKING:
    from app.sizing.plan import InProcess, Load, Node, Plan

_COLUMNS = (
    "index type",
    "recall",
    "memory of a replica",
    "query nodes",
    "object storage",
    "lone search",
    "searches/s",
    "build, core hours",
)
_PIPE_COLUMNS = 150


def size(
    faces: Annotated[str, typer.Argument(help="Faces in all galleries: 250000, 100M or 1G.")],
    searches: Annotated[float, typer.Option(help="Identifications a second.")] = 50.0,
    enrolments: Annotated[float, typer.Option(help="Enrolled faces a second.")] = 50.0,
    replicas: Annotated[int, typer.Option(help="Least copies of the gallery in memory.")] = 2,
    node_memory_gb: Annotated[float, typer.Option(help="Memory of a machine, in gigabytes.")] = 64.0,
    node_cores: Annotated[int, typer.Option(help="Cores of a machine.")] = 16,
    as_json: AsJson = False,
) -> None:
    """What a gallery of FACES needs: memory, machines, disk and searches a second, by index type of Milvus."""
    from app.sizing.plan import Load, Node, in_process, plans

    with plain_errors(as_json=as_json):
        try:
            load = Load(count(faces), searches, enrolments, replicas)
            node = Node(node_memory_gb * 1e9, node_cores)
            found, own = plans(load, node), in_process(load, node)
        except ValueError as error:
            raise BadRequest(str(error)) from None
    if as_json:
        document = {"load": asdict(load), "node": asdict(node), "faiss": asdict(own), "milvus": [*map(facts, found)]}
        typer.echo(json.dumps(document))
    else:
        _print(load, node, found, own)


def count(text: str) -> int:
    """A number of faces, perhaps with K, M or G. Raises ValueError."""
    factor = {"K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9}.get(text[-1:].upper(), 1)
    digits = text[:-1] if factor > 1 else text
    try:
        return int(float(digits.replace(",", "").replace("_", "")) * factor)
    except (OverflowError, ValueError):
        raise ValueError(f"{text!r} is no number of faces; 250000, 100M and 1G are") from None


def facts(plan: "Plan") -> dict[str, Any]:
    """A plan as JSON."""
    given = {name: getattr(plan, name) for name in plan.__slots__ if name != "index_type"}
    type_ = plan.index_type
    recall = type_.recall if type_.measured else None
    return {"index_type": type_.name, "search": type_.search, "recall": recall, **given, "nodes": plan.nodes}


def _print(load: "Load", node: "Node", found: "list[Plan]", own: "InProcess") -> None:
    from rich.console import Console
    from rich.table import Table

    # Into a pipe goes the whole width.
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    machine = f"machines of {node.memory_bytes / 1e9:g} GB and {node.cores} cores"
    typer.echo(f"{load.faces:,} faces of 128 numbers, {load.searches_per_second:g} searches a second, {machine}\n")
    fits = "fits into each replica" if own.fits else "is more than a machine holds"
    typer.echo(
        f"SAMEFACE_INDEX=faiss: {_bytes(own.memory_bytes)}, which {fits}; a search takes "
        f"{_duration(own.core_ms_per_search)} of one core, {load.replicas} replicas answer "
        f"{_rate(own.searches_per_second)} a second\n"
    )
    both = f"SAMEFACE_MILVUS_SHARDS={found[0].shards}, database {_bytes(found[0].database_bytes)}"
    typer.echo(f"SAMEFACE_INDEX=milvus: {both}; for each SAMEFACE_MILVUS_INDEX_TYPE:")
    table = Table(*_COLUMNS, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for plan in found:
        table.add_row(*_cells(plan))
    console.print(table)
    typer.echo("\nArithmetic with measured constants, not a promise: docs/sizing.md says what is behind each figure.")


def _cells(plan: "Plan") -> tuple[str, ...]:
    type_ = plan.index_type
    disk = f" + {_bytes(plan.local_disk_bytes_per_replica)} disk" if plan.local_disk_bytes_per_replica else ""
    return (
        f"{type_.name} ({type_.search})",
        f"{type_.recall:.3f}" if type_.measured else "not measured",
        _bytes(plan.memory_bytes_per_replica) + disk,
        f"{plan.replicas} x {plan.nodes_per_replica}",
        _bytes(plan.object_storage_bytes),
        _duration(plan.lone_search_ms),
        _rate(plan.searches_per_second),
        f"{plan.build_core_hours:,.1f}" if type_.measured else "not measured",
    )


def _bytes(number: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number / 1e6:.3g} MB"


def _duration(ms: float) -> str:
    return f"{ms / 1000:.3g} s" if ms >= 1000 else f"{ms:.3g} ms"


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"
