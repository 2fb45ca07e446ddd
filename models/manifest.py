"""Which photographs to train on: a TSV of `path`, `identity`, `source`, made from folders of photographs.

    python -m models.manifest --out manifest.tsv [--exclude overlap.tsv] NAME=FOLDER ...

NAME is a layout this module knows (celeba, celeba-validation, fiw, pins, vgg2, utk, aaf) or any other word, which
means one folder per person. An empty identity means unlabelled. `--exclude` lists `set<TAB>identity or file` to
leave out, for people who also appear in an evaluation set.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.bulk.people import SUFFIXES
from models.refusals import refusals
from models.rows import TEXT, read_rows, write_rows
from models.whole import written_whole

COLUMNS = ["path", "identity", "source"]

# CelebA's own split by image number: training people, then validation people. The test people are left alone.
CELEBA_TRAINING = range(1, 162_771)
CELEBA_VALIDATION = range(162_771, 182_638)


@dataclass(frozen=True, slots=True)
class Photo:
    """One row of the manifest."""

    path: Path
    identity: str
    source: str


def folder_per_person(folder: Path, source: str) -> Iterator[Photo]:
    """FOLDER/PERSON/**.jpg, the layout to use for photographs of your own.

    Raises ValueError for photographs that lie in nobody's folder.
    """
    found = images(folder)
    loose = [path for path in found if path.parent == folder]
    if loose:
        raise ValueError(
            f"{len(loose)} photographs lie directly in {folder} (the first is {loose[0].name}); put each person's into "
            "a folder of their own, or say that nobody is labelled (utk=FOLDER here, --unlabelled elsewhere)"
        )
    for path in found:
        yield Photo(path, path.relative_to(folder).parts[0], source)


def celeba(numbers: range) -> Callable[[Path, str], Iterator[Photo]]:
    """Files IDENTITY_NUMBER.jpg; only those numbers."""

    def rows(folder: Path, source: str) -> Iterator[Photo]:
        for path in images(folder):
            identity, _, number = path.stem.partition("_")
            if not number.isdecimal():
                raise ValueError(f"{path} is not named IDENTITY_NUMBER, as CelebA's photographs are here")
            if int(number) in numbers:
                yield Photo(path, identity, source)

    return rows


def families(folder: Path, source: str) -> Iterator[Photo]:
    """FAMILY/MEMBER/*.jpg; a person is a member of a family."""
    for path in images(folder):
        yield Photo(path, "/".join(path.relative_to(folder).parts[:2]), source)


def capped(per_person: int) -> Callable[[Path, str], Iterator[Photo]]:
    """One folder per person, at most `per_person` photographs of each, evenly spaced."""

    def rows(folder: Path, source: str) -> Iterator[Photo]:
        people = defaultdict(list)
        for photo in folder_per_person(folder, source):
            people[photo.identity].append(photo)
        for photos in people.values():
            step = max(len(photos) / per_person, 1.0)
            yield from (photos[int(i * step)] for i in range(min(len(photos), per_person)))

    return rows


def unlabelled(folder: Path, source: str) -> Iterator[Photo]:
    """Photographs whose people are not known: used for distillation only."""
    for path in images(folder):
        yield Photo(path, "", source)


LAYOUTS: dict[str, Callable[[Path, str], Iterator[Photo]]] = {
    "celeba": celeba(CELEBA_TRAINING),
    "celeba-validation": celeba(CELEBA_VALIDATION),
    "fiw": families,
    "pins": capped(120),
    "vgg2": capped(150),
    "utk": unlabelled,
    "aaf": unlabelled,
}


def images(folder: Path) -> list[Path]:
    """Image files below a folder, sorted, hidden folders left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def without(photos: Iterable[Photo], excluded: set[tuple[str, str]]) -> Iterator[Photo]:
    """Drop excluded identities and, for unlabelled photographs, excluded file names."""
    for photo in photos:
        if (photo.source, photo.identity or photo.path.name) not in excluded:
            yield photo


def read_exclusions(path: Path | None) -> set[tuple[str, str]]:
    """Rows of `set<TAB>identity or file`; no file, no exclusions."""
    if path is None:
        return set()
    rows = read_rows(path)
    short = next((number for number, row in enumerate(rows, start=1) if len(row) < 2), None)
    if short is not None:
        raise ValueError(f"{path}, row {short}: a set and an identity or file name are wanted, with a tab between them")
    return {(row[0], row[1]) for row in rows}


def write(photos: Iterable[Photo], path: Path) -> int:
    """Write the manifest and return its number of photographs."""
    rows = [[photo.path, photo.identity, photo.source] for photo in photos]
    with written_whole(path) as unfinished:
        write_rows(unfinished, [COLUMNS, *rows])
    return len(rows)


def read(path: Path) -> list[Photo]:
    """Read a manifest written by `write`. Raises ValueError for another file."""
    with path.open(**TEXT) as file:
        reader = csv.DictReader(file, delimiter="\t")
        if missing := [name for name in COLUMNS if name not in (reader.fieldnames or [])]:
            raise ValueError(f"{path} is no manifest: its first row names no {' and no '.join(missing)}")
        return [Photo(Path(r["path"]), r["identity"], r["source"]) for r in reader]


def _source(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not (name and folder):  # Path("") would be the current folder
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER, such as mine=photos/")
    if not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER: there is no folder {folder}")
    return name, Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", metavar="NAME=FOLDER", type=_source)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--exclude", type=Path)
    options = parser.parse_args()
    with refusals():
        _main(options, parser)


def _main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    excluded = read_exclusions(options.exclude)
    photos: list[Photo] = []
    for name, folder in options.sources:
        rows = list(LAYOUTS.get(name, folder_per_person)(folder, name))
        kept = list(without(rows, excluded))
        people = len({photo.identity for photo in kept} - {""})
        print(f"{name}: {len(kept)} photographs, {people} people, {len(rows) - len(kept)} photographs excluded")
        photos += kept
    if not photos:
        parser.error(f"no photographs are left to write; their names end in {', '.join(sorted(SUFFIXES))}")
    print(f"{write(photos, options.out)} photographs in {options.out}")


if __name__ == "__main__":
    main()
