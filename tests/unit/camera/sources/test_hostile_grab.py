"""The grabbing process misbehaves in every way a crashed or hijacked library could: a named reason, soon, and no zombie."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

import pytest

from plumbline_edge.camera.sources.grabber import Grabber
from plumbline_edge.camera.sources.port import PhotoRefused, PhotoUnreachable

CHILD = """
import os, signal, struct, sys, time
out = sys.stdout.buffer
def piece(letter, content, length=None):
    out.write(struct.pack(">cI", letter, len(content) if length is None else length) + content)
    out.flush()
sys.stdin.read()
"""
WISH = {
    "backend": "ffmpeg", "where": "x", "frames": 2, "every_s": 0.1, "within_s": 0.5, "max_megapixels": 1.0,
}  # fmt: skip
DEEDS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "UNREADABLE"),
    "crashed": ("os.kill(os.getpid(), signal.SIGSEGV)", "UNREADABLE"),
    "hung": ("time.sleep(99)", "TIMEOUT"),
    "stopped": ("os.kill(os.getpid(), signal.SIGSTOP)", "TIMEOUT"),
    "floods its output": ("\nwhile True: out.write(bytes(65536))", "UNREADABLE"),
    "floods its complaints": ("\nwhile True: sys.stderr.buffer.write(bytes(65536))", "TIMEOUT"),
    "promises more than it gives": ("piece(b'J', b'abc', 100)", "UNREADABLE"),
    "promises too much": ("piece(b'J', b'', 4_000_000_000)", "TOO_LARGE"),
    "an unknown piece": ("piece(b'Z', b'abc')", "UNREADABLE"),
    "a reason that is a list": ("piece(b'N', b'[]')", "UNREADABLE"),
    "a reason without a code": ("piece(b'N', b'{}')", "UNREADABLE"),
    "a reason of numbers": ("piece(b'N', b'{\"code\": 5, \"text\": [1]}')", "UNREADABLE"),
    "a reason without end": ("piece(b'N', b'[' * 200_000)", "UNREADABLE"),
    "a reason in no letters": ("piece(b'N', bytes([255, 254]))", "UNREADABLE"),
}


def children():
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split()


@pytest.mark.parametrize(("deed", "code"), DEEDS.values(), ids=DEEDS.keys())
async def test_it_is_a_named_reason_within_the_limit(deed, code):
    began, before = time.monotonic(), children()
    with pytest.raises((PhotoUnreachable, PhotoRefused)) as why:
        await Grabber([sys.executable, "-c", CHILD + deed], starting_s=1.0).take(WISH, where="cam")

    assert (why.value.code, bool(why.value.hint)) == (code, True)
    assert time.monotonic() - began < 5
    assert children() == before


async def test_more_pictures_than_wished_for_are_left_unread_and_it_is_reaped(caplog):
    deed = "\nwhile True: piece(b'J', bytes(7_900_000))"
    began, before = time.monotonic(), children()
    with caplog.at_level(logging.WARNING):
        taken = await Grabber([sys.executable, "-c", CHILD + deed]).take(WISH, where="cam")

    assert [len(picture) for picture in taken] == [7_900_000] * 2
    assert (children(), caplog.text) == (before, "")
    assert time.monotonic() - began < 2


async def test_what_it_complains_of_never_shows_the_password():
    reason = json.dumps({"code": "PROTOCOL", "text": "it gave no picture"}).encode()
    deed = f"sys.stderr.write('rtsp://admin:geheim@camera failed: 404 geheim'); piece(b'N', {reason!r})"
    with pytest.raises(PhotoRefused) as why:
        await Grabber([sys.executable, "-c", CHILD + deed]).take(WISH, where="cam")

    assert why.value.code == "HTTP_404"
    assert "geheim" not in f"{why.value}{why.value.hint}"
