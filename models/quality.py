"""What each measure of a face's quality is worth: error-versus-discard curves on real photographs, and by value.

    python -m models.quality manifest.tsv --model models/weights/facenet-nn2-128.onnx --people 300 \
        --out quality.json --plot quality.png

Photographs of the manifest are taken as they are and made worse in seven ways (`models.degrade`), then detected,
cropped, measured and embedded as the service does. Each is compared with the untouched photographs of its person, and
of other people. The threshold is that of FAR 1e-3 among the untouched.

- *error versus discard* (ISO/IEC 29794-1): the false-reject rate of what is left when the worst share by a measure
  is discarded. A measure that knows nothing leaves the rate where it was.
- *by value*: false-reject and false-accept rate of the faces around each value, from which requirements are chosen.
"""

import argparse
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from app.domain import FaceChoice, FaceQuality
from app.errors import SamefaceError
from app.faces.choose import choose_face
from app.faces.crop import crop_face
from app.faces.decode import ImageLimits, decode
from app.faces.detect import DetectorOptions, FaceDetector
from app.faces.embed import FaceEmbedder
from app.faces.quality import QualityRequirements, measure, shortfalls
from models.degrade import DEGRADATIONS
from models.evaluation.error_versus_discard import MEASURES, Samples, report
from models.manifest import Photo, read
from models.refusals import refusals

WEIGHTS = Path(__file__).parent / "weights"


def choose_people(photos: Sequence[Photo], people: int, seed: int) -> list[Photo]:
    """All photographs of so many random people who have two at least."""
    counts = Counter(person_of(photo) for photo in photos if photo.identity)
    able = sorted(person for person, count in counts.items() if count > 1)
    drawn = np.random.default_rng(seed).permutation(len(able))[:people]
    chosen = {able[i] for i in drawn}
    return [photo for photo in photos if person_of(photo) in chosen]


def person_of(photo: Photo) -> tuple[str, str]:
    """A name is one person's within a set."""
    return photo.source, photo.identity


def versions(path: Path, seed: int) -> Iterator[tuple[str, bytes]]:
    """The photograph as it is and once for each degradation, as files; raises SamefaceError where it is none."""
    rng = np.random.default_rng(seed)
    data = path.read_bytes()
    image = Image.fromarray(decode(data, ImageLimits()).pixels)  # turned as its EXIF says
    for kind, degrade in DEGRADATIONS.items():
        buffer = io.BytesIO()
        degrade(image, rng).save(buffer, "JPEG", quality=95)
        yield kind, data if kind == "as taken" else buffer.getvalue()


def look(data: bytes, detector: FaceDetector, embedder: FaceEmbedder) -> tuple[FaceQuality, NDArray[np.float32]]:
    """Measures and embedding of the central face; raises SamefaceError where there is none."""
    photograph = decode(data, ImageLimits())
    face = choose_face(detector.detect(photograph), FaceChoice.CENTRAL, photograph)
    spec = embedder.card.input.spec
    crop = crop_face(photograph, face, spec)
    return measure(face, crop, spec, (photograph.width, photograph.height)), embedder.embed(crop[None])[0]


def gather(photos: Sequence[Photo], detector: FaceDetector, embedder: FaceEmbedder) -> Samples:
    """Every version of every photograph; where no face is found, it is only counted."""
    rows: list[tuple[str, int, int, FaceQuality, NDArray[np.float32]]] = []
    numbers = {person: number for number, person in enumerate(sorted({person_of(photo) for photo in photos}))}
    for number, photo in enumerate(tqdm(photos, unit="photo")):
        try:
            made = list(versions(photo.path, seed=number))
        except (SamefaceError, OSError):
            continue
        for kind, data in made:
            with suppress(SamefaceError):
                rows.append((kind, numbers[person_of(photo)], number, *look(data, detector, embedder)))
    if not rows:
        raise SystemExit("no face was found in any of the photographs")
    kinds, people, taken, qualities, embeddings = zip(*rows, strict=True)
    return Samples(
        np.array(kinds),
        np.array(people),
        np.array(taken),
        np.stack(embeddings),
        {name: np.array([getattr(quality, name) for quality in qualities], np.float64) for name in MEASURES},
        {kind: kinds.count(kind) / len(photos) for kind in DEGRADATIONS},
    )


def rejected(samples: Samples, requirements: QualityRequirements) -> dict[str, float]:
    """Share of the untouched photographs that fall short, for each reason and in all."""
    names = [field.name for field in fields(FaceQuality) if field.name in samples.measures]
    reasons: dict[str, int] = {}
    turned_down = 0
    for i in np.flatnonzero(samples.untouched):
        quality = FaceQuality(**{name: float(samples.measures[name][i]) for name in names})
        found = shortfalls(quality, requirements)
        turned_down += bool(found)
        for shortfall in found:
            reasons[shortfall.reason] = reasons.get(shortfall.reason, 0) + 1
    count = int(samples.untouched.sum())
    return {"any": round(turned_down / count, 5)} | {k: round(v / count, 5) for k, v in sorted(reasons.items())}


@refusals()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--bins", type=int, default=25)
    parser.add_argument("--out", type=Path, required=True, help="the report as JSON")
    parser.add_argument("--plot", type=Path, help="the curves as a picture")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    detector = FaceDetector(WEIGHTS, DetectorOptions(min_face_px=12.0), threads=options.threads)
    embedder = FaceEmbedder(options.model, threads=options.threads)
    samples = gather(choose_people(read(options.manifest), options.people, seed=0), detector, embedder)
    result = {"model": embedder.card.id, **report(samples, options.bins)}
    result["requirements"] = asdict(QualityRequirements())
    result["rejected_untouched"] = rejected(samples, QualityRequirements())
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "measures"}, indent=1))
    if options.plot:
        from models.plot import quality

        quality(result, options.plot)


if __name__ == "__main__":
    main()
