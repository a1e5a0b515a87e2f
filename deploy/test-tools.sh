#!/bin/sh
# Install what only apt has and the system tests need: a real broker, a real InfluxDB, a browser, a Chinese font, a foreign Modbus client.
# Where that is not possible the tests say themselves what they skip.
set -eu
wanted=""
command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ] || wanted="$wanted mosquitto"
command -v influxd >/dev/null 2>&1 || wanted="$wanted influxdb"
command -v victoria-metrics >/dev/null 2>&1 || wanted="$wanted victoria-metrics"
command -v chromium >/dev/null 2>&1 || wanted="$wanted chromium"
[ -d /usr/share/fonts/opentype/noto ] || wanted="$wanted fonts-noto-cjk"
command -v mbpoll >/dev/null 2>&1 || wanted="$wanted mbpoll"
command -v socat >/dev/null 2>&1 || wanted="$wanted socat"
# An RTSP camera: GStreamer's server and its own Python; -bad brings the H.264 encoder.
if ! /usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' >/dev/null 2>&1; then
    wanted="$wanted python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    wanted="$wanted gstreamer1.0-plugins-bad"
fi
# Scenes are drawn by Mesa in software; no screen is needed.
[ -n "$(find /usr/lib -name libEGL.so.1 -print -quit)" ] || wanted="$wanted libegl1 libgl1-mesa-dri"
# The fault harness breaks file systems and links; without root it could not, whatever is installed.
command -v nft >/dev/null 2>&1 || [ -x /usr/sbin/nft ] || wanted="$wanted nftables"
command -v ip >/dev/null 2>&1 || [ -x /usr/sbin/ip ] || wanted="$wanted iproute2"
command -v mkfs.ext4 >/dev/null 2>&1 || [ -x /usr/sbin/mkfs.ext4 ] || wanted="$wanted e2fsprogs"
[ -z "$wanted" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed:$wanted. The tests that need them will be skipped (as root on Debian, make test installs them)."
    exit 0
fi
echo "Installing$wanted …"
export DEBIAN_FRONTEND=noninteractive
# policy-rc.d is not touched: the packages' own services are stopped again, the tests start their own.
if apt-get update -qq && apt-get install -qq -y --no-install-recommends $wanted >/dev/null; then
    exit 0
fi
echo "apt could not install:$wanted. The tests that need them will be skipped."
