"""What can be claimed on real photos: the gate's verdicts, where windows are, and the order of three days of one block.

No real photo here has a true percent, so no error in points is given, and nothing is averaged with renders.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.errors import ConfigError
from plumbline.stages import AUX_CLASSES, DEFAULT_VALUES, Track
from plumbline_edge.vision.view import CANVAS_QUAD
from plumbline_edge.vision.zones import pool
from plumbline_train.evaluate.doorkeeper import Doorkeeper, doubts
from plumbline_train.evaluate.looking import Judge
from plumbline_train.evaluate.scores import kendall_tau

Image = NDArray[np.uint8]
SITES: Final = Path(__file__).with_name("real_photos.toml")
MEANT_TO_BE_REFUSED: Final = frozenset({"fog", "night", "snow"})
_SAMPLE: Final = 30
_WINDOW_AUX: Final = tuple(AUX_CLASSES.index(name) for name in ("window_glazed", "opening"))
_FACADE_AUX: Final = (*_WINDOW_AUX, AUX_CLASSES.index("building"))
_LARGEST_PX: Final = 1600
_UNKNOWN: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A set of street photos with labels: which class numbers are windows and which the facade, if any is."""

    folder: str
    window: int
    facade: int | None


SETS: Final = (
    Labelled(folder="facades_stpetersburg", window=0, facade=None),
    Labelled(folder="facades_swiss", window=9, facade=2),
)


def figures(model: Path, photos: Path) -> dict[str, dict[str, float]]:
    """Tables of what the folder `photos` allows to say; a part of it that is missing is left out."""
    judge = Judge(model)
    tables: dict[str, dict[str, float]] = {}
    if (photos / "site_conditions").is_dir():
        tables |= site_tables(judge, photos / "site_conditions")
    for labelled in SETS:
        if (photos / labelled.folder / "images").is_dir():
            tables[f"windows.{labelled.folder}"] = window_table(judge, photos / labelled.folder, labelled)
    return tables


def site_tables(judge: Judge, folder: Path) -> dict[str, dict[str, float]]:
    """Per photo whether the gate refuses it, and its percent; and the order of those that have one."""
    told = tomllib.loads(SITES.read_text(encoding="utf-8"))
    track: Track = told["track"]
    tables, percents, order = {}, [], []
    day0: Image | None = None
    for entry in told["photo"]:
        picture = site_photo(folder, entry)
        wh = picture.shape[1], picture.shape[0]
        view = judge.view(np.asarray(entry["quad"], float) * wh, wh)
        canvas = view.cut(picture)
        day0 = canvas if day0 is None else day0
        is_block = entry["sky"] != "night"
        outputs = judge.look(canvas, day0 if is_block else None, track)
        refused = Doorkeeper(view).takes(picture, 1).codes or doubts(outputs.quality)
        readings = pool(
            outputs.stage, outputs.aux, CANVAS_QUAD, told["floors"], told["bays"], DEFAULT_VALUES[track]
        )
        seen = [r.percent for r in readings if r.percent is not None]
        tables[f"site.{entry['name']}"] = {
            "refused": float(bool(refused)),
            "meant_to_be_refused": float(entry["sky"] in MEANT_TO_BE_REFUSED),
            "zones_seen": len(seen) / len(readings),
            **({"percent": float(np.mean(seen))} if seen and is_block else {}),
        }
        if "order" in entry and seen:
            percents.append(float(np.mean(seen)))
            order.append(entry["order"])
    tables["site.order"] = {"photos": float(len(order)), "tau": kendall_tau(percents, order)}
    return tables


def site_photo(folder: Path, entry: dict[str, Any]) -> Image:
    """One photo of the list, cut out of its figure."""
    whole = _read(folder / entry["file"])
    height, width = whole.shape[:2]
    x0, y0, x1, y1 = entry["crop"]
    cut = whole[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
    return _shrunk(np.ascontiguousarray(cut))


def window_table(judge: Judge, folder: Path, labelled: Labelled) -> dict[str, float]:
    """Intersection over union, by pixel over all photos, of openings and of the facade where it is labelled.

    A window of an old street counts as named whether the model calls it glazed or an opening.
    """
    sums: dict[str, NDArray[np.float64]] = {"window": np.zeros(2), "facade": np.zeros(2)}
    count = 0
    for picture, windows, facade in _labelled(folder, labelled):
        where = facade if facade is not None else windows
        ys, xs = np.nonzero(where)
        if not xs.size:
            continue
        quad = [(xs.min(), ys.min()), (xs.max(), ys.min()), (xs.max(), ys.max()), (xs.min(), ys.max())]
        view = judge.view(quad, (picture.shape[1], picture.shape[0]))
        aux = judge.look(view.cut(picture), None, "reno").aux.argmax(axis=0)
        sums["window"] += _overlap(np.isin(aux, _WINDOW_AUX), view.cut_classes(windows, _UNKNOWN))
        if facade is not None:
            sums["facade"] += _overlap(np.isin(aux, _FACADE_AUX), view.cut_classes(facade, _UNKNOWN))
        count += 1
    table = {"photos": float(count), "window_iou": float(sums["window"][0] / max(sums["window"][1], 1))}
    if labelled.facade is not None:
        table["facade_iou"] = float(sums["facade"][0] / max(sums["facade"][1], 1))
    return table


def _overlap(said: NDArray[np.bool_], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Pixels in both and in either, where the truth is known."""
    import cv2  # noqa: PLC0415 - 40 MB, only for who judges

    whole = cv2.resize(said.astype(np.uint8), truth.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    known, is_there = truth != _UNKNOWN, truth == 1
    return np.array([(whole & is_there & known).sum(), ((whole | is_there) & known).sum()], float)


def _labelled(folder: Path, labelled: Labelled) -> Iterator[tuple[Image, Image, Image | None]]:
    """Pictures with their masks of windows and facade, 1 inside; every n-th of the folder."""
    labels = sorted((folder / "labels").glob("*.txt"))
    for path in labels[:: max(1, len(labels) // _SAMPLE)][:_SAMPLE]:
        found = next(iter(sorted((folder / "images").glob(f"{_escaped(path.stem)}.*"))), None)
        if found is None:
            continue
        picture = _shrunk(_read(found))
        shapes = [_shape(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        windows = _mask(picture, [corners for kind, corners in shapes if kind == labelled.window])
        facade = None
        if labelled.facade is not None:
            facade = _mask(picture, [c for kind, c in shapes if kind in {labelled.facade, labelled.window}])
        yield picture, windows, facade


def _shape(line: str) -> tuple[int, NDArray[np.float64]]:
    """Class and corners in shares of one label line: a box (centre, size) or a polygon."""
    kind, *numbers = line.split()
    values = np.array([float(number) for number in numbers])
    if values.size == 4:
        x, y, w, h = values
        left, right, top, bottom = x - w / 2, x + w / 2, y - h / 2, y + h / 2
        return int(kind), np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return int(kind), values.reshape(-1, 2)


def _mask(picture: Image, shapes: Sequence[NDArray[np.float64]]) -> Image:
    import cv2  # noqa: PLC0415

    mask = np.zeros(picture.shape[:2], np.uint8)
    for corners in shapes:
        cv2.fillPoly(mask, [np.round(corners * mask.shape[::-1]).astype(np.int32)], (1,))
    return mask


def _read(path: Path) -> Image:
    import cv2  # noqa: PLC0415

    picture: Any
    if path.suffix == ".mp4":
        film = cv2.VideoCapture(str(path))
        picture = film.read()[1]
        film.release()
    else:
        picture = cv2.imread(str(path))
    if picture is None:
        raise ConfigError(f"{path}: no picture", hint="Fetch the folder of real photos anew.")
    return np.asarray(picture, np.uint8)


def _shrunk(picture: Image) -> Image:
    """As a site camera would deliver it: these figures are scans of up to 12 megapixels."""
    import cv2  # noqa: PLC0415

    factor = _LARGEST_PX / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _escaped(stem: str) -> str:
    return "".join(f"[{c}]" if c in "[]*?" else c for c in stem)
