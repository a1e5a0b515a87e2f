"""Which kind of source a camera's settings name, and where it is."""

from __future__ import annotations

from typing import Literal

from plumbline_edge.settings import CameraSettings

Kind = Literal["http", "rtsp", "usb", "folder"]


def kind_of(camera: CameraSettings) -> Kind:
    """What a checked site file means."""
    if camera.folder is not None:
        return "folder"
    if camera.device is not None:
        return "usb"
    return "rtsp" if (camera.url or "").lower().startswith("rtsp:") else "http"


def place_of(camera: CameraSettings) -> str:
    """Where its pictures come from, as a person may read it: what stands in an address behind `?` may be secret."""
    return camera.folder or camera.device or (camera.url or "").partition("?")[0]
