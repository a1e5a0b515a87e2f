"""A photo and its day-0 photo to the model's input; training and the gateway both call exactly this.

Both are canvases of `view.View`: the model learned to see a facade straight on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def to_input(
    now_bgr: NDArray[np.uint8], day0_bgr: NDArray[np.uint8] | None, size_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """The model's `x`, float32 [1, 6, H, W]: RGB now, RGB day-0, 0..1; day-0 is zeros where none is known.

    Both pictures are canvases of the same view, uint8 [h, w, 3] BGR, and are stretched to (H, W) without bars.
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
