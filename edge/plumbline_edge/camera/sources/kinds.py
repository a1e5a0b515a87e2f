"""Makes the source that a camera's settings ask for."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path

from plumbline_edge.camera.sources.folder import PhotoFolder
from plumbline_edge.camera.sources.http import HttpSnapshot
from plumbline_edge.camera.sources.place import kind_of
from plumbline_edge.camera.sources.port import CameraSource
from plumbline_edge.camera.sources.rtsp import RtspStream
from plumbline_edge.camera.sources.usb import UsbCamera
from plumbline_edge.settings import CameraSettings


def source_of(camera: CameraSettings, zone: tzinfo) -> CameraSource:
    """The camera's source; `zone` is the site's, for clocks that name none. Opens nothing."""
    match kind_of(camera):
        case "folder":
            return PhotoFolder(Path(camera.folder or ""), zone=zone, keep_days=camera.folder_keep_days)
        case "usb":
            return UsbCamera(
                camera.device or "", timeout_s=camera.timeout_s, max_megapixels=camera.max_megapixels
            )
        case "rtsp":
            return RtspStream(
                camera.url or "",
                timeout_s=camera.timeout_s,
                username=camera.username,
                password_file=camera.password_file,
                max_megapixels=camera.max_megapixels,
            )
        case "http":
            return HttpSnapshot(
                camera.url or "",
                timeout_s=camera.timeout_s,
                username=camera.username,
                password_file=camera.password_file,
            )
