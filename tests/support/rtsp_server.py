"""An RTSP camera on loopback that shows one picture, by GStreamer; run by the system's own Python.

`/usr/bin/python3 rtsp_server.py PICTURE.jpg PORT [--user U --password P] [--codec h264|mjpeg] [--die-after SECONDS]`
prints `ready` once it listens.
"""

from __future__ import annotations

import argparse
import os

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

CODECS = {
    "h264": "jpegdec ! videoconvert ! video/x-raw,format=I420 ! openh264enc gop-size=10 bitrate=4000000"
    " ! h264parse config-interval=1 ! rtph264pay name=pay0 pt=96",
    "mjpeg": "jpegdec ! videoconvert ! video/x-raw,format=I420 ! jpegenc quality=90 ! rtpjpegpay name=pay0 pt=26",
}
ROLE = "viewer"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("picture")
    parser.add_argument("port")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--codec", choices=CODECS, default="h264")
    parser.add_argument("--die-after", type=float)
    asked = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(asked.port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( multifilesrc location="{asked.picture}" loop=true caps="image/jpeg,framerate=10/1"'
        f" ! {CODECS[asked.codec]} )"
    )
    factory.set_shared(True)
    if asked.user:
        protect(server, factory, asked.user, asked.password)
    if asked.die_after is not None:
        factory.connect(
            "media-configure", lambda *_: GLib.timeout_add(round(1000 * asked.die_after), os._exit, 1)
        )
    server.get_mount_points().add_factory("/stream1", factory)
    if server.attach(None) == 0:
        raise SystemExit(f"cannot listen on {asked.port}")
    print("ready", flush=True)
    GLib.MainLoop().run()


def protect(server, factory, user, password):
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE)
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(2)  # digest
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role(ROLE, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role(ROLE, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main()
