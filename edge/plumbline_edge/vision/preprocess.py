"""A photo and its day-0 photo to the model's input; training and the gateway both call exactly this.

The camera's picture is cropped to `roi_box` first: the model learned to see a facade that fills its view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROI_MARGIN: Final = 0.15


def roi_box(
    quad: Sequence[tuple[float, float]], size: tuple[int, int], margin: float = ROI_MARGIN
) -> tuple[int, int, int, int]:
    """The crop (x0, y0, x1, y1), end exclusive, that holds the facade quad and `margin` of its extent around it.

    `size` is the image's (width, height); the crop is cut at the image's edge and never empty.
    """
    xs, ys = [x for x, _ in quad], [y for _, y in quad]
    wide, tall = (max(xs) - min(xs)) * margin, (max(ys) - min(ys)) * margin
    x0, y0 = max(0, round(min(xs) - wide)), max(0, round(min(ys) - tall))
    x1, y1 = min(size[0], round(max(xs) + wide)), min(size[1], round(max(ys) + tall))
    x0, y0 = min(x0, size[0] - 1), min(y0, size[1] - 1)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def to_input(
    now_bgr: NDArray[np.uint8], day0_bgr: NDArray[np.uint8] | None, size_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """The model's `x`, float32 [1, 6, H, W]: RGB now, RGB day-0, 0..1; day-0 is zeros where none is known.

    Both pictures are the same crop of the same view, uint8 [h, w, 3] BGR, and are stretched to (H, W) without bars.
    """
    import numpy as np  # noqa: PLC0415 - 30 MB, only where there is a camera

    stack = np.zeros((1, 6, *size_hw), np.float32)
    stack[0, :3] = _planes(now_bgr, size_hw)
    if day0_bgr is not None:
        stack[0, 3:] = _planes(day0_bgr, size_hw)
    return stack


def _planes(bgr: Any, size_hw: tuple[int, int]) -> Any:
    import cv2  # noqa: PLC0415 - 40 MB, only where there is a camera
    import numpy as np  # noqa: PLC0415 - 30 MB, only where there is a camera

    height, width = size_hw
    shrinks = bgr.shape[0] >= height and bgr.shape[1] >= width
    fitted = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(fitted[:, :, ::-1].transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
