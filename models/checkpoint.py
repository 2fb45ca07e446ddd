"""A run on disk: OUT/last.pt, written whole or not at all, and OUT/log.jsonl, one row a report.

A checkpoint holds `network`, `optimiser`, `step`, `options`, the `template` of landmarks in the input, and what
else the next step depends on. Whatever is random is drawn anew at each step from (seed, step), so no generator's
state needs to be kept.
"""

import json
import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.faces.crop import CropSpec
from models.options import Options
from models.whole import written_whole

# What a run may be resumed with, whatever it was begun with: where, how fast, how long and how often it tells.
_FREE = {
    "checkpoint_minutes",
    "crops",
    "device",
    "minutes",
    "out",
    "passes",
    "report_steps",
    "resume",
    "start_from",
    "steps",
    "threads",
}


@dataclass(slots=True)
class Run:
    """What a run carries from step to step. `sums` gathers what the next row of the log averages."""

    network: nn.Module
    loss: nn.Module | None  # on people; None where a teacher alone is imitated
    optimiser: torch.optim.Optimizer
    crop: CropSpec
    data: dict[str, int] = field(default_factory=dict)  # what is trained on, counted
    step: int = 0
    elapsed_seconds: float = 0.0
    sums: dict[str, float | Tensor] = field(default_factory=dict)
    summed_steps: int = 0
    mined: NDArray[np.int64] | None = None  # triplets of crops, (t, 3), of the last offline mining


def save(options: Options, run: Run) -> None:
    """Write last.pt; a process killed while writing leaves the one before.

    Raises ValueError, and leaves it too, where the network has diverged.
    """
    if not all(tensor.isfinite().all() for tensor in run.network.state_dict().values()):
        raise ValueError(
            f"the network has diverged by step {run.step}: its weights are not finite; what {options.out} holds is "
            "from before, and begins again with a smaller --learning-rate in another --out"
        )
    state = {
        "network": run.network.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "loss": run.loss.state_dict() if run.loss else {},
        "mined": None if run.mined is None else torch.from_numpy(run.mined),
        "step": run.step,
        "elapsed_seconds": run.elapsed_seconds,
        "sums": {name: float(total) for name, total in run.sums.items()},
        "summed_steps": run.summed_steps,
        "template": run.crop.template,
        "data": run.data,
        "options": _plain(asdict(options)),
    }
    with written_whole(options.out / "last.pt") as unfinished:
        torch.save(state, unfinished)


def make_folder(options: Options) -> None:
    """The folder of a run; raises ValueError where another lies in it, unless that is to be resumed."""
    options.out.mkdir(parents=True, exist_ok=True)
    there = [name for name in ("last.pt", "log.jsonl") if (options.out / name).exists()]
    if there and not options.resume:
        raise ValueError(
            f"{options.out} holds {' and '.join(there)} of a run; go on with it by --resume, or choose another --out"
        )


def resume(options: Options, run: Run) -> None:
    """Bring a fresh run to where last.pt stands, and cut the log to there.

    A run that was interrupted before its first checkpoint begins again: it has no more than its log to lose.
    """
    if (options.out / "last.pt").exists():
        _load(options, run)
    else:
        print(f"{options.out} has no last.pt yet: the run begins at its first step")
    log = options.out / "log.jsonl"
    rows = log.read_text().splitlines() if log.exists() else []
    log.write_text("".join(row + "\n" for row in rows if json.loads(row)["step"] <= run.step))


def _load(options: Options, run: Run) -> None:
    path = options.out / "last.pt"
    state = torch.load(path, weights_only=True)
    _check_same(path, state, options, run)
    run.network.load_state_dict(state["network"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.step = state["step"]
    # What follows is absent in checkpoints of earlier versions.
    if run.loss and state.get("loss"):
        run.loss.load_state_dict(state["loss"])
    run.mined = None if state.get("mined") is None else state["mined"].numpy()
    run.elapsed_seconds = state.get("elapsed_seconds", 0.0)
    run.sums, run.summed_steps = state.get("sums", {}), state.get("summed_steps", 0)


def _check_same(path: Path, state: dict[str, Any], options: Options, run: Run) -> None:
    """Raises ValueError where the run was begun with other flags, or on crops of another geometry."""
    begun, now = state.get("options", {}), _plain(asdict(options))
    other = [name for name in now if name not in _FREE and name in begun and begun[name] != now[name]]
    if other:
        flags = "; ".join(f"--{name.replace('_', '-')} was {begun[name]}, is {now[name]}" for name in other)
        raise ValueError(f"{path} is of a run with other flags: {flags}; resume with those, or choose another --out")
    template = state.get("template", run.crop.template)  # absent in checkpoints of earlier versions
    if [list(point) for point in template] != [list(point) for point in run.crop.template]:
        raise ValueError(f"{path} is of a run on crops of another geometry than those of {options.crops}")


def start_from(path: Path, network: nn.Module, besides: Collection[str] = ()) -> list[str]:
    """Fill a network with a checkpoint's weights, or a published file's; returns the names that begin fresh.

    A head of another embedding size, what is named in `besides`, and whatever else the file lacks or has in another
    shape, keeps its fresh weights. Raises ValueError where that is more than half of the network: the file is then
    of something else.
    """
    state = torch.load(path, weights_only=True)
    weights: dict[str, Tensor] = state.get("network", state)
    own = network.state_dict()
    wanted = own.keys() - set(besides)
    fitting = {name: w for name, w in weights.items() if name in wanted and w.shape == own[name].shape}
    taken, all_ = (sum(own[name].numel() for name in names) for names in (fitting, own))
    if taken < all_ / 2:
        raise ValueError(f"{path} holds {taken} of this network's {all_} weights; at least half are needed")
    network.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def report(options: Options, run: Run) -> dict[str, float]:
    """Append one row to the log: the means since the last one."""
    means = {name: float(total) / run.summed_steps for name, total in run.sums.items()}
    if not all(map(math.isfinite, means.values())):
        raise ValueError(
            f"the run has diverged by step {run.step}: {means}; begin again with a smaller --learning-rate in another "
            "--out, or go on from an earlier checkpoint"
        )
    row = {"step": run.step, "seconds": round(run.elapsed_seconds, 1), **means}
    with (options.out / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")
    run.sums, run.summed_steps = {}, 0
    return means


def _plain(value: Any) -> Any:
    """Only what `torch.load(weights_only=True)` reads back."""
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    return str(value) if isinstance(value, Path) else value
