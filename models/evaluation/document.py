"""What was measured, for people: `report.json`, `report.md` with its tables, and pictures."""

import json
from pathlib import Path
from typing import Any

from app.faces.card import ModelCard
from models.evaluation import pictures, training_tables
from models.evaluation.image_quality import FACE_PIXELS, JPEG_QUALITIES
from models.evaluation.markdown import table

Sections = dict[str, Any]


def write_report(card: ModelCard, sections: Sections, folder: Path) -> None:
    """Write `report.json`, `report.md` and a picture for each section that has one into `folder`.

    The tables of `models.evaluation.tables`, which are of other networks, stay as they are there.
    """
    model = {
        "id": card.id,
        "sha256": card.sha256,
        "architecture": card.architecture,
        "calibration": card.calibration.data,
    }
    kept = {name: section for name, section in _existing(folder).items() if name == "training_tables"}
    _write(model, sections | kept, folder)


def update_report(sections: Sections, folder: Path) -> None:
    """Put sections into the report that lies in `folder`, in place of those of the same names."""
    found = _existing(folder)
    _write(found.pop("model", {}), found | sections, folder)


def _existing(folder: Path) -> Sections:
    path = folder / "report.json"
    found: Sections = json.loads(path.read_text()) if path.exists() else {}
    return found


def _write(model: Sections, sections: Sections, folder: Path) -> None:
    """`model` is empty where a report has no model of its own yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps({"model": model, **sections}, indent=1) + "\n")
    drawn = pictures.draw(sections, folder)
    parts = ["# Report"]
    if model:
        made = f"{model['architecture']}; sha-256 `{model['sha256']}`. Made by `python -m models.report`."
        parts = [f"# {model['id']}", made]
    for name, section in sections.items():
        parts += TABLES[name](section)
        if name in drawn:
            parts.append(f"![{name.replace('_', ' ')}]({drawn[name]})")
    (folder / "report.md").write_text("\n\n".join(parts) + "\n")


def _lists(section: Sections) -> list[str]:
    names = {
        "view1": "View 1 (threshold chosen on the same pairs)",
        "view2": "View 2, ten folds",
        "view2_fixed_centre_crop": "View 2, fixed centre crop, no detector",
    }
    rows = [[names[name], *_protocol(figures)] for name, figures in section.items()]
    return ["## Labeled Faces in the Wild", table(["protocol", *_PROTOCOL], rows)]


_PROTOCOL = ["accuracy", "VAL at FAR 1e-2", "VAL at FAR 1e-3", "failures to acquire"]


def _protocol(figures: Sections) -> list[object]:
    accuracy, error = f"{figures['accuracy']:.4f}", figures["accuracy_standard_error"]
    if error:  # one fold alone has none
        accuracy += f" ± {error:.4f}"
    vals = [figures.get(f"val_at_far_{far}", "") for far in ("0.01", "0.001")]
    return [accuracy, *vals, figures["failures_to_acquire"]]


def _joint_bayesian(section: Sections) -> list[str]:
    text = (
        f"Fitted to {section['training_photographs']:,} photographs of {section['training_people']:,} people of the "
        "training set, in place of squared L2."
    )
    return ["## Joint Bayesian", text, table(["protocol", *_PROTOCOL], [["View 2", *_protocol(section["view2"])]])]


def _pairs(title: str) -> Any:
    def make(section: Sections) -> list[str]:
        head = ["FAR", "squared L2 threshold", "FAR, 95 %", "VAL", "VAL, 95 %"]
        rows = [_point(f"{row['asked_far']:g}", row) for row in section["points"]]
        count = (
            f"{section['photographs']:,} photographs of {section['people']:,} people: {section['impostor_pairs']:,} "
            f"impostor pairs, {section['genuine_pairs']:,} genuine ones, {section['failures_to_acquire']} failures to "
            "acquire. Intervals by bootstrap over people."
        )
        parts = [f"## {title}", count, table(head, rows)]
        if section.get("card_points"):
            rows = [_point(f"{row['card_far']:g}", row, row["far"]) for row in section["card_points"]]
            parts += [
                "What the model card's own thresholds give on these people:",
                table(["FAR in the card", "threshold", "FAR here", "95 %", "VAL here", "VAL, 95 %"], rows),
            ]
        return parts

    return make


def _point(name: str, row: Sections, *more: object) -> list[object]:
    far, val = row["far_ci95"], row["val_ci95"]
    ends = [f"{far[0]:g} to {far[1]:g}", f"{row['val']:.4f}", f"{val[0]:.4f} to {val[1]:.4f}"]
    return [name, f"{row['threshold']:.3f}", *more, *ends]


def _open_set(section: list[Sections]) -> list[str]:
    head = ["people", "enrolled", "FPIR asked for", "FPIR", "95 %", "FNIR", "95 %"]
    rows = [
        [row["data"], row["enrolled"], f"{row['asked_fpir']:g}", *_rate(row["fpir"]), *_rate(row["fnir"])]
        for row in section
    ]
    return ["## Open-set identification", table(head, rows)]


def _rate(measured: Sections) -> list[str]:
    low, high = measured["ci95"]
    return [f"{measured['rate']:.4f}", f"{low:.4f} to {high:.4f}"]


def _quality(section: list[Sections]) -> list[str]:
    head = ["photograph", "VAL at FAR 1e-3", "95 %", "FAR at the card's threshold", "VAL there", "failures to acquire"]
    names = {f"jpeg-{quality}": f"JPEG quality {quality}" for quality in JPEG_QUALITIES}
    names |= {f"pixels-{pixels}": f"face of at most {pixels:,} pixels" for pixels in FACE_PIXELS}
    rows = [
        [
            names.get(row["change"], "as it is"),
            f"{row['val_at_far_0.001']:.4f}",
            f"{row['ci95'][0]:.4f} to {row['ci95'][1]:.4f}",
            f"{row['at_card_threshold']['far']:g}",
            f"{row['at_card_threshold']['val']:.4f}",
            f"{row['failures_to_acquire']} of {row['photographs']}",
        ]
        for row in section
    ]
    text = (
        "Photographs of held-out people, changed, then sent through decoder, detector, crop and network. Both "
        "photographs of a pair are changed alike. A photograph is never enlarged: where its face is smaller than the "
        "row says, it stays as it is."
    )
    return ["## Image quality", text, table(head, rows)]


def _cohorts(section: Sections) -> list[str]:
    parts = [
        "## Cohorts",
        "False accepts at the thresholds that the model card gives for FAR 1e-2 and 1e-3. The sets have no identities: "
        "every photograph counts as another person, so people who occur again count as false accepts and the rates are "
        "upper bounds. Where the sets were in training, the network has seen these photographs, though not who is in "
        "them: rates on strangers of the same cohorts may be higher, and only ratios should be read. A ratio is the "
        "highest rate within a cohort over the lowest.",
    ]
    for name, found in section.items():
        rows = [
            [d["kind"], d["threshold_at"], d["highest"], d["lowest"], f"{d['ratio']:g}"] for d in found["differentials"]
        ]
        parts += [
            f"### {name}, {found['photographs']:,} photographs",
            table(["by", "threshold for FAR", "highest within", "lowest within", "ratio"], rows),
        ]
        own = [row for row in found["rows"] if row["first"] == row["second"]]
        rows = [[r["kind"], r["first"], r["threshold_at"], f"{r['pairs']:,}", f"{r['far']:g}", _ends(r)] for r in own]
        parts.append(table(["by", "cohort", "threshold for FAR", "pairs within", "FAR", "95 %"], rows))
    return parts


def _ends(row: Sections) -> str:
    return f"{row['ci95'][0]:g} to {row['ci95'][1]:g}" if row["supported"] else "too few false accepts"


def _youtube(section: Sections) -> list[str]:
    return ["## YouTube Faces", table(["protocol", *_PROTOCOL], [["ten folds, 100 frames", *_protocol(section)]])]


def _comparison(section: list[Sections]) -> list[str]:
    head = [
        "model",
        "size",
        "parameters",
        "multiply-adds",
        "training photographs",
        "ms a face",
        "LFW accuracy",
        "LFW VAL at FAR 1e-3",
        "held-out VAL at FAR 1e-3",
    ]
    rows = [
        [
            row["model"],
            row["embedding_size"],
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['multiply_adds'] / 1e6:.0f} M",
            "unknown" if row["training_photographs"] is None else f"{row['training_photographs']:,}",
            f"{row['ms_per_face']:.1f}",
            f"{row['lfw_accuracy']:.4f} ± {row['lfw_accuracy_standard_error']:.4f}",
            f"{row['lfw_val_at_far_0.001']:.4f}",
            f"{row['held_out_val_at_far_0.001']:.4f}" if "held_out_val_at_far_0.001" in row else "",
        ]
        for row in section
    ]
    return ["## Models side by side", table(head, rows)]


TABLES: dict[str, Any] = {
    "lfw": _lists,
    "lfw_joint_bayesian": _joint_bayesian,
    "lfw_all_pairs": _pairs("All pairs of LFW"),
    "held_out_all_pairs": _pairs("All pairs of the held-out people"),
    "open_set": _open_set,
    "image_quality": _quality,
    "cohorts": _cohorts,
    "youtube_faces": _youtube,
    "comparison": _comparison,
    "training_tables": training_tables.markdown,
}
