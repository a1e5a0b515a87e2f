"""Real photos for training: facades whose windows are marked, and the low frequencies every photo has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_train.dataset import SAMPLE, SIZE_HW, UNKNOWN

STYLE_HW: Final = (SIZE_HW[0] // 8, SIZE_HW[1] // 8)
# site_conditions is left out: the gate and the model are judged on it
_SETS: Final = ("facades_stpetersburg", "facades_swiss")
_CREDITS: Final = {
    "facades_stpetersburg": "facades of St Petersburg, CC0-1.0, Urban-Research-Lab/building-facades-advertising-dataset",
    "facades_swiss": "Swiss facades, CC BY 4.0, building-facade-segmentation (Roboflow) via syX113/hslu-cv-facades",
}
_BUILDING, _WINDOW = AUX_CLASSES.index("building"), AUX_CLASSES.index("window_glazed")
# classes.yaml of the Swiss set: car, facade, street, vegetation, window; the rest is nothing we name
_SWISS: Final = {
    2: _BUILDING, 8: AUX_CLASSES.index("vegetation"), 6: AUX_CLASSES.index("ground"),
    1: AUX_CLASSES.index("machine_vehicle"), 9: _WINDOW,
}  # fmt: skip
_WALL_AROUND: Final = 0.25
"""How far around a marked window there is wall for certain, in shares of the window."""


def photo_folder() -> Path | None:
    """Where the real photos lie, if they are here: PLUMBLINE_DATA, or shared/data beside the source tree."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("PLUMBLINE_DATA", beside)) / "photos"
    return folder if folder.is_dir() else None


def credits_of(folder: Path) -> list[str]:
    return [_CREDITS[name] for name in _SETS if (folder / name).is_dir()]


def photos_hash(folder: Path) -> str:
    """Names the photos by path and content."""
    digest = hashlib.sha256()
    for path in _pictures(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def styles(folder: Path) -> NDArray[np.float32]:
    """Every photo, small: [n, h, w, 3] RGB 0..1; only its lowest frequencies are ever used."""
    import cv2  # noqa: PLC0415 - only where there are photos

    small = (
        cv2.resize(image, STYLE_HW[::-1], interpolation=cv2.INTER_AREA)[:, :, ::-1]
        for _, image in _read(folder)
    )
    return np.asarray(np.stack(list(small)), np.float32) / np.float32(255)


def marked_facades(folder: Path, seed: int, cuts: int = 4) -> NDArray[Any]:
    """Samples with truth in `aux` alone: `cuts` pieces of each facade whose windows somebody marked."""
    rng = np.random.default_rng([seed, 71])
    samples = [
        _piece(image, aux, rng)
        for path, image in _read(folder)
        if (aux := _aux(path, image.shape[:2])) is not None
        for _ in range(cuts)
    ]
    return np.stack(samples) if samples else np.zeros(0, SAMPLE)


def _pictures(folder: Path) -> Iterator[Path]:
    for name in _SETS:
        for path in sorted((folder / name).rglob("*")):
            if path.suffix.lower() in {".jpg", ".jpeg", ".png"}:
                yield path


def _read(folder: Path) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    import cv2  # noqa: PLC0415

    for path in _pictures(folder):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is not None:
            yield path, np.asarray(image, np.uint8)


def _aux(path: Path, size_hw: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The class of each pixel of a marked photo, UNKNOWN where its marks do not say; None where it has none."""
    marks = path.parents[1] / "labels" / f"{path.stem}.txt"
    if not marks.is_file():
        return None
    rows = [line.split() for line in marks.read_text(encoding="utf-8").splitlines() if line.strip()]
    parsed = [(int(row[0]), np.array(row[1:], float)) for row in rows]
    paint = _painted_boxes if path.parents[1].name == "facades_stpetersburg" else _painted_outlines
    return paint(parsed, (size_hw[0], size_hw[1]))


def _painted_boxes(marks: Sequence[tuple[int, Any]], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    aux = np.full(size_hw, UNKNOWN, np.uint8)
    height, width = size_hw

    def fill(box: Any, grow: float, value: int) -> None:
        x, y, wide, tall = box
        x0, x1 = (int(np.clip((x + s * wide * (0.5 + grow)) * width, 0, width)) for s in (-1, 1))
        y0, y1 = (int(np.clip((y + s * tall * (0.5 + grow)) * height, 0, height)) for s in (-1, 1))
        aux[y0:y1, x0:x1] = value

    for kind, box in marks:
        if kind == 0:
            fill(box, _WALL_AROUND, _BUILDING)
    for kind, box in marks:
        # the boxes hold the frame and some reveal too; other marks (doors, signs) are nothing we name
        fill(box, -0.06, _WINDOW) if kind == 0 else fill(box, 0.05, UNKNOWN)
    return aux


def _painted_outlines(marks: Sequence[tuple[int, Any]], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2  # noqa: PLC0415

    aux = np.full(size_hw, UNKNOWN, np.uint8)
    order = list(_SWISS)
    other = [mark for mark in marks if mark[0] not in _SWISS]
    ours = sorted((mark for mark in marks if mark[0] in _SWISS), key=lambda mark: order.index(mark[0]))
    walls = [mark for mark in ours if mark[0] == order[0]]
    for kind, outline in [*walls, *other, *(mark for mark in ours if mark[0] != order[0])]:
        points = (outline.reshape(-1, 2) * size_hw[::-1]).round().astype(np.int32)
        cv2.fillPoly(aux, [points], _SWISS.get(kind, UNKNOWN))
    return aux


def _piece(image: NDArray[np.uint8], aux: NDArray[np.uint8], rng: np.random.Generator) -> Any:
    import cv2  # noqa: PLC0415

    height, width = SIZE_HW
    rows, columns = image.shape[:2]
    share = rng.uniform(0.6, 1.0)
    tall, wide = max(8, int(rows * share)), max(8, int(columns * share * rng.uniform(0.85, 1.0)))
    y, x = int(rng.integers(0, rows - tall + 1)), int(rng.integers(0, columns - wide + 1))
    part = slice(y, y + tall), slice(x, x + wide)
    resize: Callable[..., Any] = cv2.resize
    sample = np.zeros((), SAMPLE)
    sample["now"] = resize(image[part], (width, height), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    sample["day0"] = sample["now"] if rng.random() < 0.5 else 0
    sample["stage"], sample["quality"], sample["camera"] = UNKNOWN, -1, -1
    sample["aux"] = resize(aux[part], (width // 2, height // 2), interpolation=cv2.INTER_NEAREST)
    return sample
