"""A process that takes pictures from one stream or device with OpenCV, and then is gone.

`python -m plumbline_edge.camera.sources.grab` reads a Wish as JSON from standard input: a password never stands in an
argument or the environment, where others could read it. It writes pieces to standard output, each a letter, its length
in 4 bytes and its content: `J` a JPEG, `N` a Reason as JSON that there are no more. FFmpeg may hang, crash or hoard
memory in here: whoever started this process ends it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
import sys
import time
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

PIECE: Final = struct.Struct(">cI")
KEEP_OPEN_S: Final = 5.0
"""A burst with longer pauses opens its camera anew for each picture: nothing is streamed that nobody looks at."""

_MAX_ADDRESS_SPACE: Final = 2_000_000_000
"""Bytes: a stream that claims pictures of 30,000 pixels ends itself, not the gateway."""
_WIDTH_PX: Final = 1280
"""As camera.image.WORK_WIDTH_PX; the parent would shrink it to that anyway."""
_QUALITY: Final = 95
_SETTLING_S: Final = 1.5
"""USB cameras find exposure and white balance in their first second."""
_SETTLING_FRAMES: Final = 3
_USB_SIZE: Final = (1920, 1080)
_LATE: Final = 0.9
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


class Wish(TypedDict):
    """What to take: `where` is a url or a device, times in seconds; `within_s` bounds opening and each frame."""

    backend: Literal["ffmpeg", "v4l2"]
    where: str
    frames: int
    every_s: float
    within_s: float
    max_megapixels: float


class Reason(TypedDict):
    """Why there are no more pictures, in a gate code; empty where there were as many as wished for."""

    code: str
    text: str


def take(wish: Wish) -> Iterator[Image]:
    """The pictures, BGR, the newest at its time. Ends early where the camera does; raises ValueError for too large."""
    import cv2  # noqa: PLC0415 - after the limits stand

    capture = _opened(cv2, wish)
    try:
        if not capture.isOpened():
            return
        width, height = (capture.get(n) for n in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > wish["max_megapixels"] * 1e6:
            raise ValueError(f"a picture of {width:.0f} x {height:.0f}")
        began, read, last = time.monotonic(), 0, None
        settling_s = _SETTLING_S if wish["backend"] == "v4l2" else 0.0
        for n in range(wish["frames"]):
            due = began + settling_s + n * wish["every_s"]
            while True:  # reading on in between, or the frame would be as old as the stream's buffer
                good, frame = capture.read()
                if not good:
                    break
                last, read = frame, read + 1
                if read >= _SETTLING_FRAMES and time.monotonic() >= due:
                    break
            if last is None:
                return
            yield last
            if not good:  # the last good one counts, once
                return
            last = None
    finally:
        capture.release()


def _opened(cv2: Any, wish: Wish) -> Any:
    cv2.setNumThreads(1)
    if wish["backend"] == "v4l2":
        capture = cv2.VideoCapture(wish["where"], cv2.CAP_V4L2)
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*"MJPG"))  # raw frames come slowly over USB 2
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, _USB_SIZE[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, _USB_SIZE[1])
        return capture
    within_ms = round(wish["within_s"] * 1000)
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, within_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, within_ms,
        cv2.CAP_PROP_N_THREADS, 1,  # each decoding thread holds pictures of its own
    ]  # fmt: skip
    return cv2.VideoCapture(wish["where"], cv2.CAP_FFMPEG, limits)


def as_jpeg(picture: Image) -> bytes:
    """At most _WIDTH_PX wide."""
    import cv2  # noqa: PLC0415

    height, width = picture.shape[:2]
    if width > _WIDTH_PX:
        size = (_WIDTH_PX, max(1, round(height * _WIDTH_PX / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())


def _write(out: IO[bytes], letter: bytes, content: bytes) -> None:
    out.write(PIECE.pack(letter, len(content)) + content)
    out.flush()


def _hold_back() -> None:
    """Leave no core, take no more memory than there is, and end with the parent."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_ADDRESS_SPACE, _MAX_ADDRESS_SPACE))
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_DUMPABLE, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # TCP: a lost UDP packet is a grey stripe. Nothing but these protocols, wherever a camera redirects to.
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp|protocol_whitelist;rtsp,rtp,tcp"


def main() -> None:
    """Grab as standard input says."""
    _hold_back()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not look like a picture
    wish: Wish = json.loads(sys.stdin.buffer.read())
    count, began, reason = 0, time.monotonic(), Reason(code="", text="")
    try:
        for picture in take(wish):
            _write(out, b"J", as_jpeg(picture))
            count += 1
        if not count:
            late = time.monotonic() - began > _LATE * wish["within_s"]
            text = f"no picture within {wish['within_s']:g} s" if late else "it gave no picture"
            reason = Reason(code="TIMEOUT" if late else "PROTOCOL", text=text)
    except ValueError as error:
        reason = Reason(code="TOO_LARGE", text=str(error))
    except MemoryError:
        reason = Reason(code="TOO_LARGE", text="its pictures need too much memory")
    _write(out, b"N", json.dumps(reason).encode())
    out.close()
    os._exit(0)  # FFmpeg's threads and closing handshakes are nobody's business any more


if __name__ == "__main__":
    main()
