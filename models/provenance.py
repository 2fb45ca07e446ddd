"""What a network was trained on, counted from the crops themselves, for the model card.

Terms and circumstances cannot be counted: they come from a JSON file that a person writes (see
`models/weights/*.provenance.json`), and the counts are put beside them.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from models.data import MADE_UP
from models.manifest import read_exclusions
from models.rows import read_rows


def counted(crops: Path) -> dict[str, Any]:
    """Photographs and people by set in a folder of `models.prepare`, and how many photographs gave no face.

    Faces of `models.made_up` are no photographs and counted apart, where there are any.
    """
    photographs: dict[str, int] = defaultdict(int)
    people: dict[str, set[str]] = defaultdict(set)
    for path in sorted(crops.glob("part-?????.tsv")):
        for _, identity, source in read_rows(path):
            photographs[source] += 1
            people[source] |= {identity} - {""}
    made_up = photographs.pop(MADE_UP, 0)
    sets = {name: {"photographs": photographs[name], "people": len(people[name])} for name in sorted(photographs)}
    failures = crops / "failures.tsv"
    return (
        {"crops": sum(photographs.values()), "sets": sets}
        | ({"photographs_without_a_face": len(read_rows(failures))} if failures.exists() else {})
        | ({"made_up_faces": made_up} if made_up else {})
    )


def left_out(exclusions: Path) -> dict[str, int]:
    """How many identities, or photographs of sets without any, a list of exclusions has by set."""
    count: dict[str, int] = defaultdict(int)
    for source, _ in read_exclusions(exclusions) - {("set", "identity_or_file")}:
        count[source] += 1
    return dict(sorted(count.items()))
