"""Real facades to hang on far walls, cut square out of the licensed photos."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

EDGE_PX: Final = 256


@lru_cache(maxsize=4)
def load_facades(folder: Path) -> NDArray[np.uint8] | None:
    """Facades [n, 256, 256, 3] RGB out of `folder`/facades_*/images, the same array each time; None without photos.

    A crop holds the windows that the photo's labels name, or the picture's middle; photos taken in the dark are left out.
    """
    crops = []
    for path in sorted(folder.glob("facades_*/images/*.*")):
        image: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            continue
        label = path.parent.parent / "labels" / f"{path.stem}.txt"
        crop = _cut(image, label.read_text(encoding="utf-8") if label.is_file() else "")
        if _is_wall(crop):
            crops.append(
                cv2.cvtColor(
                    cv2.resize(crop, (EDGE_PX, EDGE_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB
                )
            )
    return np.stack(crops).astype(np.uint8) if crops else None


def _cut(image: NDArray[np.uint8], labels: str) -> NDArray[np.uint8]:
    """The part of the picture that spans its labelled boxes, a little wider, at least half of it."""
    height, width = image.shape[:2]
    rows = [[float(v) for v in line.split()[1:5]] for line in labels.splitlines() if len(line.split()) == 5]
    if not rows:
        return image[int(height * 0.25) : int(height * 0.7), int(width * 0.25) : int(width * 0.75)]
    x, y, w, h = np.array(rows).T
    x0, x1 = max(0.0, float((x - w / 2).min()) - 0.03), min(1.0, float((x + w / 2).max()) + 0.03)
    y0, y1 = max(0.0, float((y - h / 2).min()) - 0.05), min(0.9, float((y + h / 2).max()) + 0.03)
    if x1 - x0 < 0.5 or y1 - y0 < 0.4:
        x0, x1, y0, y1 = 0.1, 0.9, 0.08, 0.75
    return image[int(y0 * height) : int(y1 * height), int(x0 * width) : int(x1 * width)]


def _is_wall(crop: NDArray[np.uint8]) -> bool:
    if min(crop.shape[:2]) < 64:
        return False
    mean, vivid = float(crop.mean()), float(np.ptp(crop.astype(np.int16), axis=2).mean())
    return 92 < mean < 205 and vivid < 60
