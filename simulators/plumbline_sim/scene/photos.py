"""Crops of real facades for the town around a site; without the photos the town is drawn alone."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.families import Split

CROP_PX: Final = 256
_MOST: Final = 48
_FOLDERS: Final = ("facades_stpetersburg", "facades_swiss")


def photo_folder() -> Path | None:
    """Where the licensed photos lie: PLUMBLINE_DATA/photos; None where they are not on this machine."""
    named = os.environ.get("PLUMBLINE_DATA")
    folder = Path(named) / "photos" if named else Path(__file__).parents[4] / "shared" / "data" / "photos"
    return folder if folder.is_dir() else None


@lru_cache(maxsize=2)
def real_facades(split: Split) -> NDArray[np.uint8] | None:
    """Up to 48 square crops [n, 256, 256, 3] RGB, every fifth photo kept for `holdout`; None without photos."""
    import cv2  # noqa: PLC0415 - only where scenes are drawn

    folder = photo_folder()
    if folder is None:
        return None
    paths = [p for name in _FOLDERS for p in sorted((folder / name / "images").iterdir())]
    mine = [p for i, p in enumerate(paths) if (i % 5 == 0) == (split == "holdout")]
    crops = []
    for path in mine[:: max(1, len(mine) // _MOST)][:_MOST]:
        image = cv2.imread(str(path))
        if image is None:
            continue
        height, width = image.shape[:2]
        side = min(height, width)
        y, x = (height - side) // 3, (width - side) // 2
        crop = cv2.resize(image[y : y + side, x : x + side], (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
        crops.append(crop[..., ::-1])
    return np.ascontiguousarray(np.stack(crops), np.uint8) if crops else None
