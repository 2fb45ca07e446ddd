"""MTCNN (Zhang, Zhang, Li, Qiao 2016): three small networks, each looking closer at what the last one let through.

P-Net slides over an image pyramid and proposes windows, R-Net refines them, O-Net decides and finds five
landmarks. The arithmetic follows facenet-pytorch's detector, against which tests compare boxes and landmarks; but where
O-Net is in no doubt about the best window of a face, it does not look at the others (`DetectorOptions.sure`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime as ort

from app.domain import Box, DetectedFace
from app.errors import ConfigurationError
from app.faces.area import AreaTable, AreaTables, Ints
from app.faces.decode import Photograph, Pixels
from app.faces.overlap import Floats, near, non_maximum
from app.faces.pyramid import WINDOW_PX, layout_of
from app.faces.runtime import Device, open_session
from app.faces.windows import landmarks_of, moved, probability, regressed, scored, squared, windows

_NETWORKS = {"pnet": "proposals", "rnet": "found", "onet": "found"}
# How many pixels of windows R-Net and O-Net look at together: a crowd has thousands of windows. What the first layers
# of 32 windows of R-Net or 8 of O-Net give is little more than a core's own cache holds.
_BATCH_PX = {Device.CPU: 8 * 48 * 48, Device.CUDA: 64 * 48 * 48}
# Photographs of so many pixels in all are looked at together: it spares each a part of what calls cost, which matters
# where photographs are small.
_TOGETHER_PX = 500_000

# Windows that overlap by more, intersection over union, are taken for the same face's.
_SAME_FACE = 0.4

# The second look, in shares of the shorter side: a face this large calls for it, the border it adds, the smallest face
# that it looks for; and the shorter side that it reduces to at the least.
_SECOND_LOOK_FILLED = 0.7
_SECOND_LOOK_BORDER = 0.4
_SECOND_LOOK_MIN_FACE = 0.4
_SECOND_LOOK_PX = 200

# Boxes float32 (n, 5) with score, and landmarks float32 (n, 5, 2), in pixels of a table.
Look = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """`min_face_px` is in pixels of the photograph as decoded; thresholds are per stage, on probability.

    `sure`: where O-Net's probability for the best window of a face exceeds this, it does not look at the others that
    R-Net has of the face, some five; 1.0 has it look at all, as MTCNN does. The best of all has a higher probability,
    and landmarks that are no better (docs/performance.md). Faces of a lower probability are those of MTCNN.
    `second_look`: where no face was found, or one that fills the photograph, look again with a border around it.
    """

    min_face_px: float = 40.0
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    max_faces: int = 100
    sure: float = 0.95
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
        self._batch_px = _BATCH_PX[device]
        self._pnet, self._rnet, self._onet = (
            _open(weights / f"mtcnn_{name}.onnx", output, device, threads) for name, output in _NETWORKS.items()
        )

    def detect(self, photograph: Photograph) -> list[DetectedFace]:
        """Faces of the photograph, most confident first, in full-resolution pixels."""
        return self.detect_all([photograph])[0]

    def detect_all(self, photographs: Sequence[Photograph]) -> list[list[DetectedFace]]:
        """The same faces of each photograph, in less time where several are small."""
        found: list[list[DetectedFace]] = [[] for _ in photographs]
        large = [i for i, each in enumerate(photographs) if min(each.pixels.shape[:2]) >= WINDOW_PX]
        for group in _groups(large, [photographs[i].pixels.size // 3 for i in large]):
            tables = AreaTables([photographs[i].pixels for i in group])
            looks = self.find(tables, self.options.min_face_px)
            for i, table, look in zip(group, tables.each, looks, strict=True):
                found[i] = self._faces(table, look, photographs[i].scale)
        return found

    def find(self, tables: AreaTables, min_face_px: float) -> list[Look]:
        """MTCNN in each of the tables, without a second look."""
        boxes, of = self._propose(tables, min_face_px)
        boxes, of = self._refine(tables, boxes, of)
        boxes, landmarks, of = self._decide(tables, boxes, of)
        bounds = np.searchsorted(of, np.arange(len(tables.each) + 1))
        return [(boxes[start:end], landmarks[start:end]) for start, end in pairwise(bounds)]

    def _faces(self, table: AreaTable, look: Look, scale: float) -> list[DetectedFace]:
        if self.options.second_look and _doubtful(table, look[0]):
            look = _merged(self._look_again(table), look)
        boxes, landmarks = look
        order = np.argsort(-boxes[:, 4], kind="stable")[: self.options.max_faces]
        full = np.float32(1.0 / scale)
        return [_face(boxes[i], landmarks[i], full) for i in order]

    def _look_again(self, table: AreaTable) -> Look:
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
        ((boxes, landmarks),) = self.find(AreaTables([_framed(reduced, border)]), min_face_px)
        enlarge = np.array([table.width / width, table.height / height], np.float32)
        corners = (boxes[:, :4] - np.float32(border)) * np.tile(enlarge, 2)
        return np.concatenate([corners, boxes[:, 4:]], axis=1), (landmarks - np.float32(border)) * enlarge

    def _propose(self, tables: AreaTables, min_face_px: float) -> tuple[Floats, Ints]:
        proposals = [self._proposals(table, min_face_px) for table in tables.each]
        of = np.repeat(np.arange(len(proposals)), [len(each) for each in proposals])
        every = np.concatenate(proposals)
        return squared(moved(every[:, :5], every[:, 5:])), of

    def _proposals(self, table: AreaTable, min_face_px: float) -> Floats:
        """Of one photograph, float32 (n, 9): boxes and their offsets."""
        layout = layout_of(table.height, table.width, min_face_px)
        if layout is None:
            return np.zeros((0, 9), np.float32)
        inputs = {
            "image": layout.picture(table),
            "positions": layout.positions,
            "windows": layout.windows,
            "apart": layout.apart,
            "min_score": np.array(self.options.thresholds[:1], np.float32),
        }
        return cast(Floats, self._pnet.run(None, inputs)[0])

    def _refine(self, tables: AreaTables, boxes: Floats, of: Ints) -> tuple[Floats, Ints]:
        boxes, of, parts = _inside(tables, boxes, of)
        if len(boxes) == 0:
            return boxes, of
        found = self._looked_at(self._rnet, tables, parts, of, 24)
        score = probability(found[:, 4])
        kept = score > self.options.thresholds[1]
        boxes, of, found = scored(boxes[kept], score[kept]), of[kept], found[kept]
        pick = non_maximum(boxes[:, :4], boxes[:, 4], 0.7, of=of)
        return squared(regressed(boxes[pick], found[pick, :4])), of[pick]

    def _decide(self, tables: AreaTables, boxes: Floats, of: Ints) -> tuple[Floats, Floats, Ints]:
        boxes, of, parts = _inside(tables, boxes, of)
        if len(boxes) == 0:
            return boxes, np.zeros((0, 5, 2), np.float32), of
        found = self._best_and_doubted(tables, boxes, parts, of)
        score = probability(found[:, 14])
        kept = score > self.options.thresholds[2]
        boxes, of, found = scored(boxes[kept], score[kept]), of[kept], found[kept]
        landmarks = landmarks_of(boxes, found[:, 4:14])
        boxes = regressed(boxes, found[:, :4])
        pick = non_maximum(boxes[:, :4], boxes[:, 4], 0.7, of=of, of_smaller=True, pixel=1.0)
        return boxes[pick], landmarks[pick], of[pick]

    def _best_and_doubted(self, tables: AreaTables, boxes: Floats, parts: Ints, of: Ints) -> Floats:
        """O-Net's outputs for the best window of each face and for those in doubt; -inf, no face, for all others."""
        found: Floats = np.full((len(boxes), 15), -np.inf, np.float32)
        best = non_maximum(boxes[:, :4], boxes[:, 4], _SAME_FACE, of=of)
        found[best] = self._looked_at(self._onet, tables, parts[best], of[best], 48)
        settled = best[probability(found[best, 14]) > self.options.sure]
        doubted = ~near(boxes[:, :4], settled, _SAME_FACE, of=of)
        doubted[best] = False
        if doubted.any():
            found[doubted] = self._looked_at(self._onet, tables, parts[doubted], of[doubted], 48)
        return found

    def _looked_at(self, session: ort.InferenceSession, tables: AreaTables, parts: Ints, of: Ints, side: int) -> Floats:
        """A network's outputs for parts of the photographs, resized to its `side`."""
        at_once = self._batch_px // side**2
        outputs: list[Floats] = []
        for start in range(0, len(parts), at_once):
            crops = tables.crops(parts[start : start + at_once], of[start : start + at_once], side)
            outputs.extend(cast(list[Floats], session.run(None, {"image": crops})))
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


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


def _merged(better: Look, other: Look) -> Look:
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


def _inside(tables: AreaTables, boxes: Floats, of: Ints) -> tuple[Floats, Ints, Ints]:
    """Boxes that meet their photographs, which those are, and the part of each inside it, int64 (n, 4)."""
    inside, parts = windows(boxes, tables.sizes[of])
    return boxes[inside], of[inside], parts


def _groups(numbers: Sequence[int], pixels: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of photographs in their order, as many in a group as have `_TOGETHER_PX` together, and one at least."""
    group: list[int] = []
    room = 0
    for number, px in zip(numbers, pixels, strict=True):
        if group and px > room:
            yield group
            group = []
        room = (room if group else _TOGETHER_PX) - px
        group.append(number)
    if group:
        yield group


def _face(box: Floats, landmarks: Floats, full: np.float32) -> DetectedFace:
    left, top, right, bottom = (float(value * full) for value in box[:4])
    return DetectedFace(Box(left, top, right, bottom), min(float(box[4]), 1.0), landmarks * full)
