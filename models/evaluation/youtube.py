"""YouTube Faces (Wolf, Hassner, Maoz 2011): 5,000 pairs of videos in ten folds, compared set to set.

    python -m models.evaluation.youtube YTF_FOLDER --model models/weights/NAME.onnx --out youtube.json

YTF_FOLDER is the data set as published: `frame_images_DB/PERSON/VIDEO/SHOT.FRAME.jpg`, beside each person's folder
`PERSON.labeled_faces.txt` (whose face in a frame is meant, by its centre), and `splits.txt` (fold, first video,
second video, same). As in FaceNet (section 5.7): the distance of two videos is the mean over all pairs of the first
100 frames in which a face is found.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.domain import DetectedFace
from app.errors import SamefaceError
from app.faces.crop import CropSpec, crop_face
from app.faces.decode import ImageLimits, Pixels, decode
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder
from models.lfw import NO_FACE_DISTANCE, WEIGHTS, Pairs
from models.metrics import fold_accuracy, val_at_far
from models.photographs import Embed
from models.refusals import refusals
from models.whole import written_whole

FRAMES = 100

Centres = dict[str, tuple[float, float]]


def read_splits(path: Path) -> Pairs:
    """Pairs of videos (`PERSON/VIDEO`) from `splits.txt`: a header, then fold, first, second, same and more columns."""
    header, *lines = [line for line in path.read_text().splitlines() if line.strip()]
    if "name" not in header:
        raise ValueError(f"{path} should begin with a header such as 'split number, first name, second name, is same'")
    rows = [[word.strip() for word in line.split(",")] for line in lines]
    fold, first, second, same = zip(*(row[:4] for row in rows), strict=True)
    return Pairs(list(first), list(second), np.array([int(s) == 1 for s in same]), np.array([int(f) for f in fold]))


def frames(video: Path) -> list[Path]:
    """The frames of a video in order: by shot, then by number."""
    return sorted(video.glob("*.jpg"), key=lambda path: [int(part) for part in path.stem.split(".")])


def labelled_centres(person: Path) -> Centres:
    """`VIDEO/FRAME.jpg` to the centre of the face that is meant, in pixels; empty where there is no such file.

    A row is PERSON\\VIDEO\\FRAME, unused, x, y, width, height, ...: x and y are the centre.
    """
    path = person.with_name(f"{person.name}.labeled_faces.txt")
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    return {"/".join(row[0].split("\\")[1:]): (float(row[2]), float(row[3])) for row in rows}


def crops(
    video: Path, centres: Centres, detector: FaceDetector, spec: CropSpec, limit: int = FRAMES
) -> Iterator[Pixels]:
    """The first `limit` crops: in each frame the face nearest to the labelled centre, or to the frame's own."""
    found = 0
    for path in frames(video):
        try:
            photograph = decode(path.read_bytes(), ImageLimits())
        except SamefaceError:
            continue
        faces = detector.detect(photograph)
        if faces:
            middle = (photograph.width / 2, photograph.height / 2)
            face = _nearest(faces, centres.get(f"{video.name}/{path.name}", middle))
            yield crop_face(photograph, face, spec)
            found += 1
        if found == limit:
            return


def embed_videos(
    root: Path, names: list[str], detector: FaceDetector, embed: Embed, spec: CropSpec, work: Path
) -> dict[str, NDArray[np.float32]]:
    """Video to embeddings of its frames, float32 (up to 100, d); kept in `work`, so that a stopped run goes on."""
    result = {}
    for name in tqdm(names, desc="videos", unit="video"):
        kept = work / f"{name.replace('/', '.')}.npy"
        if not kept.exists():
            video = root / "frame_images_DB" / name
            if not video.is_dir():
                raise FileNotFoundError(f"no video at {video}")
            images = list(crops(video, labelled_centres(video.parent), detector, spec))
            kept.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(kept) as unfinished:
                np.save(unfinished, embed(np.stack(images)) if images else np.zeros((0, 0), np.float32))
        result[name] = np.load(kept)
    return result


def set_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Mean squared L2 over all pairs of frames of two videos; of unit vectors, so the means suffice."""
    if not (len(first) and len(second)):
        return NO_FACE_DISTANCE
    return float(2 - 2 * first.mean(0, dtype=np.float64) @ second.mean(0, dtype=np.float64))


def report(pairs: Pairs, videos: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Ten-fold accuracy with its standard error, VAL at FAR 1e-2 and the videos in which nothing was found."""
    ends = zip(pairs.first, pairs.second, strict=True)
    squared_l2 = np.array([set_distance(videos[a], videos[b]) for a, b in ends])
    folds = fold_accuracy(squared_l2, pairs.same, pairs.fold)
    result: dict[str, Any] = {
        "pairs": len(pairs.same),
        "videos": len(videos),
        "frames": sum(len(video) for video in videos.values()),
        "failures_to_acquire": sum(len(video) == 0 for video in videos.values()),
        "accuracy": round(folds.mean, 5),
        "accuracy_standard_error": round(folds.standard_error, 5),
        "threshold_mean": round(float(np.mean(folds.thresholds)), 4),
    }
    if (~pairs.same).sum() >= 100:
        val, threshold = val_at_far(squared_l2, pairs.same, 1e-2)
        result |= {"val_at_far_0.01": round(val, 5), "threshold_at_far_0.01": round(threshold, 4)}
    return result


def measure(root: Path, embedder: FaceEmbedder, work: Path) -> dict[str, Any]:
    """The whole protocol with one model file."""
    pairs = read_splits(root / "splits.txt")
    detector = FaceDetector(WEIGHTS)
    videos = embed_videos(root, pairs.names, detector, embedder.embed, embedder.card.input.spec, work)
    return report(pairs, videos)


def _nearest(faces: list[DetectedFace], centre: tuple[float, float]) -> DetectedFace:
    def squared_distance(face: DetectedFace) -> float:
        x, y = face.box.centre
        return (x - centre[0]) ** 2 + (y - centre[1]) ** 2

    return min(faces, key=squared_distance)


@refusals()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("youtube_faces", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="embeddings of the videos; default: beside OUT")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    embedder = FaceEmbedder(options.model, threads=options.threads)
    work = options.work or options.out.with_suffix("") / embedder.card.sha256[:12]
    result = {"model": embedder.card.id} | measure(options.youtube_faces, embedder, work)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
