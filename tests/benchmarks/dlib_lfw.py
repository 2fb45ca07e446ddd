"""dlib's face network (`face_recognition`) on View 2 of LFW, on the faces that our own detector finds.

    python -m tests.benchmarks.dlib_lfw crops LFW_FOLDER dlib-crops.npz
    OTHER_ENV/bin/python tests/benchmarks/dlib_lfw.py embed dlib-crops.npz dlib-embeddings.npz
    python -m tests.benchmarks.dlib_lfw report LFW_FOLDER dlib-embeddings.npz

The second step runs where `dlib`, `face_recognition_models` and `numpy` are installed (`pip install dlib
face_recognition_models "setuptools<81"`, with libopenblas-dev and cmake), and needs nothing of this repository. A crop
is the detector's box enlarged 1.4 times about its centre; in it dlib places its own five landmarks in the box and
makes its own 150 px chip, as `face_recognition.face_encodings` does. Embeddings are scaled to unit length, which
dlib's nearly have, and then treated as ours are. Writes results/dlib_lfw.json.
"""

import argparse
from pathlib import Path

import numpy as np

# A crop's side over that of the box, which lies in its middle.
ENLARGED = 1.4


def crops(folder: Path, out: Path) -> None:
    """`names` and `crops`, an array of uint8 (side, side, 3) for each photograph in which a face is found."""
    from PIL import Image
    from tqdm import tqdm

    from app.domain import FaceChoice
    from app.errors import NoFace
    from app.faces.choose import choose_face
    from app.faces.decode import ImageLimits, decode
    from app.faces.detect import FaceDetector
    from models.lfw import WEIGHTS, read_pairs

    detector = FaceDetector(WEIGHTS)
    found = {}
    for name in tqdm(read_pairs(folder / "pairs.txt").names, unit="photo"):
        photograph = decode((folder / "images" / name[:-5] / f"{name}.jpg").read_bytes(), ImageLimits())
        try:
            box = choose_face(detector.detect(photograph), FaceChoice.CENTRAL, photograph).box
        except NoFace:
            continue
        side = ENLARGED * max(box.right - box.left, box.bottom - box.top)
        x, y = box.centre
        square = (round(x - side / 2), round(y - side / 2), round(x + side / 2), round(y + side / 2))
        found[name] = np.asarray(Image.fromarray(photograph.pixels).crop(square))
    np.savez_compressed(out, **found)


def embed(source: Path, out: Path) -> None:
    """The embedding of each crop by its name, float32 (128,)."""
    import dlib
    import face_recognition_models

    landmarks = dlib.shape_predictor(face_recognition_models.pose_predictor_five_point_model_location())
    network = dlib.face_recognition_model_v1(face_recognition_models.face_recognition_model_location())
    embeddings = {}
    with np.load(source) as images:
        for name in images.files:
            crop = np.ascontiguousarray(images[name])
            edge = round(crop.shape[0] * (1 - 1 / ENLARGED) / 2)
            box = dlib.rectangle(edge, edge, crop.shape[1] - edge, crop.shape[0] - edge)
            embeddings[name] = np.array(network.compute_face_descriptor(crop, landmarks(crop, box)), np.float32)
    np.savez(out, **embeddings)


def report(folder: Path, embeddings: Path) -> None:
    """LFW's protocol, as for our own networks."""
    from models.lfw import distances, read_pairs
    from models.lfw import report as figures
    from tests.benchmarks.record import write_record

    with np.load(embeddings) as found:
        unit = {name: found[name] / np.linalg.norm(found[name]) for name in found.files}
    pairs = read_pairs(folder / "pairs.txt")
    result = figures(pairs, distances(pairs, unit), len(unit))
    write_record("dlib_lfw", "dlib_face_recognition_resnet_model_v1; accuracy does not depend on load", view2=result)
    print(result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["crops", "embed", "report"])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    {"crops": crops, "embed": embed, "report": report}[options.step](options.source, options.out)


if __name__ == "__main__":
    main()
