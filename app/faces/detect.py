"""MTCNN (Zhang, Zhang, Li, Qiao 2016): three small networks, each looking closer at what the last one let through.

P-Net slides over an image pyramid and proposes windows, R-Net refines them, O-Net decides and finds five
landmarks. The arithmetic follows facenet-pytorch's detector, against which tests compare boxes and landmarks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from app.domain import Box, DetectedFace
from app.errors import ConfigurationError
from app.faces.area import AreaTable, Ints
from app.faces.decode import Photograph, Pixels
from app.faces.overlap import Floats, non_maximum
from app.faces.pyramid import WINDOW_PX, layout_of
from app.faces.runtime import Device, open_session

_NETWORKS = {"pnet": "proposals", "rnet": "found", "onet": "found"}
_WINDOWS_PER_BATCH = 64

# The second look, in shares of the shorter side: a face this large calls for it, the border it adds, the smallest face
# that it looks for; and the shorter side that it reduces to at the least.
_SECOND_LOOK_FILLED = 0.7
_SECOND_LOOK_BORDER = 0.4
_SECOND_LOOK_MIN_FACE = 0.4
_SECOND_LOOK_PX = 200


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """`min_face_px` is in pixels of the photograph as decoded; thresholds are per stage, on probability.

    `second_look`: where no face was found, or one that fills the photograph, look again with a border around it.
    """

    min_face_px: float = 40.0
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    max_faces: int = 100
    second_look: bool = True


class FaceDetector:
    """Finds faces. Safe to call from several threads at once."""

    def __init__(
        self,
        weights: Path,
        options: DetectorOptions | None = None,
        *,
        device: Device = Device.CPU,
        threads: int = 1,
    ) -> None:
        """`weights`: folder with mtcnn_pnet.onnx, mtcnn_rnet.onnx and mtcnn_onet.onnx.

        Raises ConfigurationError where one is missing, damaged or of another release.
        """
        self.options = options or DetectorOptions()
        self._pnet, self._rnet, self._onet = (
            _open(weights / f"mtcnn_{name}.onnx", output, device, threads) for name, output in _NETWORKS.items()
        )

    def detect(self, photograph: Photograph) -> list[DetectedFace]:
        """Faces of the photograph, most confident first, in full-resolution pixels."""
        height, width = photograph.pixels.shape[:2]
        if min(height, width) < WINDOW_PX:
            return []
        table = AreaTable(photograph.pixels)
        boxes, landmarks = self.find(table, self.options.min_face_px)
        if self.options.second_look and _doubtful(table, boxes):
            boxes, landmarks = _merged(self._look_again(table), (boxes, landmarks))
        order = np.argsort(-boxes[:, 4], kind="stable")[: self.options.max_faces]
        full = np.float32(1.0 / photograph.scale)
        return [_face(boxes[i], landmarks[i], full) for i in order]

    def find(self, table: AreaTable, min_face_px: float) -> tuple[Floats, Floats]:
        """Plain MTCNN: boxes float32 (n, 5) with score, landmarks float32 (n, 5, 2), in pixels of the table."""
        boxes = self._propose(table, min_face_px)
        boxes = self._refine(table, boxes)
        return self._decide(table, boxes)

    def _look_again(self, table: AreaTable) -> tuple[Floats, Floats]:
        """Large faces, in a border of the mean colour: MTCNN needs to see what is around a face.

        On photographs cropped to its own box it misses 1.5 % of faces, and places the landmarks of 36 % more than a
        fifth of the distance between the eyes away; with the border 0.1 % and 2 %. With a twentieth cut off each side
        that is 8 % and 70 % without the border, 0.8 % and 2 % with it. Only large faces are looked for, so a reduced
        photograph does: the cost is that of 400 x 400 px.
        """
        factor = max(min(table.height, table.width) // _SECOND_LOOK_PX, 1)
        reduced = table.resize(table.height // factor, table.width // factor)
        height, width = reduced.shape[1:]
        border = int(_SECOND_LOOK_BORDER * min(height, width))
        min_face_px = max(_SECOND_LOOK_MIN_FACE * min(height, width), self.options.min_face_px / factor)
        boxes, landmarks = self.find(AreaTable(_framed(reduced, border)), min_face_px)
        enlarge = np.array([table.width / width, table.height / height], np.float32)
        corners = (boxes[:, :4] - np.float32(border)) * np.tile(enlarge, 2)
        return np.concatenate([corners, boxes[:, 4:]], axis=1), (landmarks - np.float32(border)) * enlarge

    def _propose(self, table: AreaTable, min_face_px: float) -> Floats:
        layout = layout_of(table.height, table.width, min_face_px)
        if layout is None:
            return np.zeros((0, 5), np.float32)
        inputs = {
            "image": layout.picture(table),
            "positions": layout.positions,
            "windows": layout.windows,
            "apart": layout.apart,
            "min_score": np.array(self.options.thresholds[:1], np.float32),
        }
        (proposals,) = cast(list[Floats], self._pnet.run(None, inputs))
        return _squared(_moved(proposals[:, :5], proposals[:, 5:]))

    def _refine(self, table: AreaTable, boxes: Floats) -> Floats:
        boxes, windows = _windows(table, boxes)
        if len(boxes) == 0:
            return boxes
        found = _looked_at(self._rnet, table, windows, 24)
        boxes, kept = _passed(boxes, _probability(found[:, 4]), self.options.thresholds[1])
        pick = non_maximum(boxes[:, :4], boxes[:, 4], 0.7)
        return _squared(_regressed(boxes[pick], found[kept, :4][pick]))

    def _decide(self, table: AreaTable, boxes: Floats) -> tuple[Floats, Floats]:
        boxes, windows = _windows(table, boxes)
        if len(boxes) == 0:
            return boxes, np.zeros((0, 5, 2), np.float32)
        found = _looked_at(self._onet, table, windows, 48)
        boxes, kept = _passed(boxes, _probability(found[:, 14]), self.options.thresholds[2])
        landmarks = _landmarks(boxes, found[kept, 4:14])
        boxes = _regressed(boxes, found[kept, :4])
        pick = non_maximum(boxes[:, :4], boxes[:, 4], 0.7, of_smaller=True, pixel=1.0)
        return boxes[pick], landmarks[pick]


def _open(path: Path, output: str, device: Device, threads: int) -> ort.InferenceSession:
    session = open_session(path, device=device, threads=threads)
    found = [each.name for each in session.get_outputs()]
    if found != [output]:
        raise ConfigurationError(f"{path} gives {found}, not {output}: write it anew with `python -m models.mtcnn`")
    return session


def _doubtful(table: AreaTable, boxes: Floats) -> bool:
    """Whether MTCNN saw too little around a face: it found none, or one that fills the photograph."""
    side = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return len(boxes) == 0 or bool(side.max() > _SECOND_LOOK_FILLED * min(table.width, table.height))


def _merged(better: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Boxes and landmarks of both looks; where they overlap, those of the first argument."""
    boxes, landmarks = (np.concatenate(pair) for pair in zip(better, other, strict=True))
    rank = boxes[:, 4] + (np.arange(len(boxes)) < len(better[0]))
    pick = non_maximum(boxes[:, :4], rank, 0.5, of_smaller=True)
    return boxes[pick], landmarks[pick]


def _framed(planes: Floats, border: int) -> Pixels:
    """Planes (3, height, width) of 0 to 255 to bytes, in a frame of their mean colour."""
    _, height, width = planes.shape
    mean = planes.mean(axis=(1, 2)).astype(np.uint8)
    framed: Pixels = np.full((height + 2 * border, width + 2 * border, 3), mean, np.uint8)
    framed[border : border + height, border : border + width] = np.rint(planes).transpose(1, 2, 0)
    return framed


def _looked_at(session: ort.InferenceSession, table: AreaTable, windows: Ints, side: int) -> Floats:
    """A network's outputs for all windows, resized to its `side`; in batches, because a crowd has thousands."""
    outputs = []
    for start in range(0, len(windows), _WINDOWS_PER_BATCH):
        crops = table.crops(windows[start : start + _WINDOWS_PER_BATCH], side)
        outputs.extend(cast(list[Floats], session.run(None, {"image": crops})))
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def _probability(logit: Floats) -> Floats:
    with np.errstate(over="ignore"):  # exp of a large number is infinite, and the probability rightly 0
        probability: Floats = np.float32(1.0) / (np.float32(1.0) + np.exp(-logit))
    return probability


def _windows(table: AreaTable, boxes: Floats) -> tuple[Floats, Ints]:
    """Boxes that meet the photograph, and the part of each inside it (MTCNN counts pixels from 1)."""
    left_top = np.maximum(np.trunc(boxes[:, :2]).astype(np.int64), 1) - 1
    limit = np.array([table.width, table.height])
    right_bottom = np.minimum(np.trunc(boxes[:, 2:4]).astype(np.int64), limit)
    inside = np.all(right_bottom > left_top, axis=1)
    return boxes[inside], np.concatenate([left_top, right_bottom], axis=1)[inside]


def _passed(boxes: Floats, score: Floats, threshold: float) -> tuple[Floats, NDArray[np.bool_]]:
    kept = score > threshold
    return np.concatenate([boxes[kept, :4], score[kept, None]], axis=1), kept


def _regressed(boxes: Floats, offsets: Floats) -> Floats:
    size = np.stack([boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1] * 2, axis=1)
    return np.concatenate([boxes[:, :4] + offsets * size, boxes[:, 4:5]], axis=1)


def _moved(boxes: Floats, offsets: Floats) -> Floats:
    """P-Net's own convention: a window's size is the difference of its corners."""
    size = np.stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]] * 2, axis=1)
    return np.concatenate([boxes[:, :4] + offsets * size, boxes[:, 4:]], axis=1)


def _squared(boxes: Floats) -> Floats:
    """The square of the longer side about the same centre."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.maximum(width, height)
    left = boxes[:, 0] + width * np.float32(0.5) - side * np.float32(0.5)
    top = boxes[:, 1] + height * np.float32(0.5) - side * np.float32(0.5)
    return np.stack([left, top, left + side, top + side, boxes[:, 4]], axis=1)


def _landmarks(boxes: Floats, points: Floats) -> Floats:
    """O-Net's ten numbers, five x then five y as shares of its window, to pixels (n, 5, 2)."""
    width = (boxes[:, 2] - boxes[:, 0] + 1)[:, None]
    height = (boxes[:, 3] - boxes[:, 1] + 1)[:, None]
    x = width * points[:, :5] + boxes[:, 0:1] - 1
    y = height * points[:, 5:] + boxes[:, 1:2] - 1
    return np.stack([x, y], axis=2)


def _face(box: Floats, landmarks: Floats, full: np.float32) -> DetectedFace:
    left, top, right, bottom = (float(value * full) for value in box[:4])
    return DetectedFace(Box(left, top, right, bottom), min(float(box[4]), 1.0), landmarks * full)
