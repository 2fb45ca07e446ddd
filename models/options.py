"""Every knob of training, and the command line made from them."""

import argparse
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from models.augment import SHARES, Augmentation
from models.losses import LOSSES, ON_TRIPLETS
from models.mining import NEGATIVES, POSITIVES
from models.networks import NETWORKS

OPTIMISERS = ("sgd", "adagrad", "adamw")
SCHEDULES = ("cosine", "step")


def knob(default: Any, text: str, choices: Any = None) -> Any:
    """A field with its line of help and what it may be."""
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run does; `augmentation` has knobs of its own."""

    crops: Path
    out: Path
    augmentation: Augmentation = field(default_factory=Augmentation)
    teacher: Path | None = knob(None, "embeddings to imitate, as models.teacher writes them")  # noqa: RUF009 (a field)
    live_teacher: tuple[Path, ...] = knob((), "with --morphs: the teacher's networks, as given to models.teacher")
    morphs: float = knob(0.0, "share of pictures that are blends of two, whose embedding the live teacher is asked for")
    start_from: Path | None = knob(None, "weights to begin with: last.pt, served ONNX, published file")  # noqa: RUF009
    fresh_head: bool = knob(False, "with --start-from: what depends on the embedding size begins fresh though it fits")
    frozen_trunk: bool = knob(False, "with --start-from: learn only what begins fresh")
    frozen_parts: tuple[str, ...] = knob((), "with --start-from: parts of the network that learn nothing, such as stem")
    people_share: float = knob(1.0, "share of the people to train on, drawn by the seed; smaller shares lie in larger")
    resume: bool = knob(False, "go on from OUT/last.pt, if it is there, exactly as if never interrupted")

    network: str = knob("nn2", "a row of the table of networks", tuple(NETWORKS))
    embedding_size: int = knob(128, "coordinates of an embedding; a teacher of another size is mapped to it")
    side: int = knob(112, "input side in pixels: the middle of the prepared crops")
    crop_px: int = knob(0, "pixels of the prepared crops that are scaled to the input side; 0: as many as that side")
    growing: float = knob(0.0, "share of training on smaller pictures")
    growing_scales: tuple[float, ...] = knob((5 / 7, 6 / 7), "their sides, one after another, as shares of the side")

    similarity_weight: float = knob(0.0, "with --teacher: weight of whom a face resembles, beside distillation")
    similarity_faces: int = knob(32_768, "faces of others that each batch is compared with, by the teacher's word")
    similarity_temperature: float = knob(0.08, "what cosines are divided by: lower looks at the nearest faces only")

    loss: str = knob("triplet", "what is learnt from who is who", tuple(LOSSES))
    loss_weight: float = knob(0.0, "weight of that loss beside distillation; without a teacher it is 1")
    margin: float | None = knob(None, "of the loss, in its own measure; otherwise its paper's")
    scale: float | None = knob(None, "of cosines before a softmax; otherwise 64 for cosface, 16 for contrastive")
    angle_degrees: float = knob(40.0, "alpha of the angular loss")
    verification_weight: float = knob(0.05, "weight of verification beside softmax in the contrastive loss")
    positives: str = knob("all", "of each anchor: every one, or the farthest", POSITIVES)
    negatives: str = knob("semi-hard", "of each anchor-positive pair", NEGATIVES)
    mine_steps: int = knob(0, "mine offline every so many steps, from the checkpoint written then; 0 mines each batch")
    mine_crops: int = knob(2048, "crops that offline mining looks at each time")

    passes: float = knob(4.0, "how often every crop is seen: sets the number of steps")
    steps: int = knob(0, "where above 0 the number of steps, whatever the passes")
    minutes: float = knob(0.0, "where above 0 the schedule follows the clock and ends then, whatever the passes")
    batch_size: int = knob(128, "faces in a batch")
    faces_per_person: int = knob(0, "K of P x K batches; 0 draws crops at random, which suits distillation alone")

    optimiser: str = knob("sgd", "method", OPTIMISERS)
    learning_rate: float = knob(0.1, "peak of the learning rate")
    weight_decay: float = knob(5e-4, "of matrices and convolutions; norms and biases have none")
    schedule: str = knob("cosine", "cosine: down to zero; step: times the factor at each milestone", SCHEDULES)
    milestones: tuple[float, ...] = knob((0.6, 0.85), "shares of training at which a step schedule lowers the rate")
    step_factor: float = knob(0.1, "what a step schedule multiplies the rate with")
    warmup: float = knob(0.02, "share of training over which the rate rises from zero")

    bf16: bool = knob(True, "compute convolutions in bfloat16, weights stay float32")
    seed: int = knob(1, "of weights, batches and augmentation")
    threads: int = knob(2, "of PyTorch on a CPU")
    report_steps: int = knob(50, "steps between rows of OUT/log.jsonl")
    checkpoint_minutes: float = knob(5.0, "minutes between checkpoints")

    @property
    def shown_px(self) -> int:
        """Pixels of the prepared crops that the network is shown, scaled or not."""
        return self.crop_px or self.side

    @property
    def input_px(self) -> int:
        """Side of the crops that the exported file takes: it magnifies smaller ones itself."""
        return min(self.shown_px, self.side)


def parse(description: str, words: list[str] | None = None) -> Options:
    """Options from the command line, or from `words`; what is not an option ends the process with a usage."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path, help="folder of prepared crops")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: last.pt and log.jsonl")
    for knob_ in fields(Options)[3:]:
        _add(parser, knob_)
    augmentation = parser.add_argument_group("augmentation", "a share is the part of all pictures that it happens to")
    for knob_ in fields(Augmentation):
        _add(augmentation, knob_)
    chosen = vars(parser.parse_args(words))
    picked = Augmentation(**{knob_.name: chosen.pop(knob_.name) for knob_ in fields(Augmentation)})
    for name in SHARES:
        if not 0 <= getattr(picked, name) <= 1:
            parser.error(f"--{name.replace('_', '-')} {getattr(picked, name)}: a share lies between 0 and 1")
    row = NETWORKS[chosen["network"]]
    if chosen["side"] < row.smallest_px:
        parser.error(f"--side {chosen['side']}: {chosen['network']} needs at least {row.smallest_px}")
    if row.one_size and chosen["growing"]:
        parser.error(f"--growing: {chosen['network']} takes pictures of one size only")
    if not 0 < chosen["people_share"] <= 1:
        parser.error(f"--people-share {chosen['people_share']}: a share of the people lies above 0 and up to 1")
    for flag in ("fresh_head", "frozen_trunk", "frozen_parts"):
        if chosen[flag] and not chosen["start_from"]:
            parser.error(f"--{flag.replace('_', '-')}: there is no --start-from to take the rest of the weights from")
    for flag in ("fresh_head", "frozen_trunk"):
        if chosen[flag] and chosen["start_from"].suffix == ".onnx":
            parser.error(f"--{flag.replace('_', '-')}: a served file is read whole; start from a last.pt")
    if chosen["morphs"] and not (chosen["teacher"] and chosen["live_teacher"]):
        parser.error("--morphs: a made-up face has the teacher's word only: give --teacher and --live-teacher")
    if chosen["similarity_weight"] and not chosen["teacher"]:
        parser.error("--similarity-weight: whom a face resembles is the teacher's word: give --teacher")
    if chosen["mine_steps"] and chosen["morphs"]:
        parser.error("--mine-steps: --morphs takes the place of faces that were mined")
    if chosen["mine_steps"] and chosen["loss"] not in ON_TRIPLETS:
        parser.error(f"--mine-steps: {chosen['loss']} takes no triplets; {' and '.join(ON_TRIPLETS)} do")
    return Options(augmentation=picked, **chosen)


def _add(parser: "argparse._ActionsContainer", knob_: "Field[Any]") -> None:
    """One knob as one flag; booleans get a --no- form as well, tuples take several values."""
    flag, default = "--" + knob_.name.replace("_", "-"), knob_.default
    text = f"{knob_.metadata['help']} (default: {default})".replace("%", "%%")
    if isinstance(default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default, help=text)
    elif isinstance(default, tuple):
        parser.add_argument(flag, type=_tuple_of(get_args(knob_.type)[0]), default=default, metavar="A,B", help=text)
    else:
        kind = {"pathlib.Path | None": Path, "float | None": float}.get(str(knob_.type), knob_.type)
        parser.add_argument(flag, type=kind, default=default, choices=knob_.metadata["choices"], help=text)


def _tuple_of(kind: type) -> Any:
    def read(text: str) -> tuple[Any, ...]:
        return tuple(kind(word) for word in text.split(","))

    read.__name__ = f"comma-separated {kind.__name__}"
    return read
