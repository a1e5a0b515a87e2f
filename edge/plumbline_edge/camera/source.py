"""The names that callers of `camera.sources` use."""

from plumbline_edge.camera.sources.address import is_allowed_address
from plumbline_edge.camera.sources.http import HttpSnapshot
from plumbline_edge.camera.sources.kinds import source_of
from plumbline_edge.camera.sources.place import kind_of, place_of
from plumbline_edge.camera.sources.port import CameraSource, PhotoRefused, PhotoUnreachable

__all__ = [
    "CameraSource",
    "HttpSnapshot",
    "PhotoRefused",
    "PhotoUnreachable",
    "is_allowed_address",
    "kind_of",
    "place_of",
    "source_of",
]
