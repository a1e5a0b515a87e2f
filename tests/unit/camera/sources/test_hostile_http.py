"""HTTP cameras that answer to do harm: bounded in time and memory, always one of the named reasons."""

from __future__ import annotations

import asyncio
import contextlib
import time
import tracemalloc
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.camera.sources.http import HttpSnapshot
from plumbline_edge.camera.sources.mixed import boundary_of, first_part
from plumbline_edge.camera.sources.port import PhotoRefused, PhotoUnreachable


@asynccontextmanager
async def camera(*parts, endless=b""):
    """Sends `parts` to whoever asks, then `endless` again and again; yields its address."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.writelines(parts)
            while endless and not writer.is_closing():
                writer.write(endless)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "password").write_text("geheim")
    return {"username": "u", "password_file": str(tmp_path / "password")}


async def reason(url, **settings):
    with pytest.raises((PhotoUnreachable, PhotoRefused)) as failed:
        await HttpSnapshot(url, **{"timeout_s": 2.0} | settings).snapshot()
    return failed.value.code


@pytest.mark.parametrize("scheme", ['Basic realm="x"', 'Digest realm="x", nonce="y", qop="auth"'])
async def test_a_demand_for_a_password_with_a_body_without_end_is_not_read(secret, scheme):
    head = (
        b"HTTP/1.1 401 x\r\nTransfer-Encoding: chunked\r\nWWW-Authenticate: " + scheme.encode() + b"\r\n\r\n"
    )
    async with camera(head, endless=b"100000\r\n" + bytes(1 << 20) + b"\r\n") as url:
        began = time.monotonic()
        tracemalloc.start()
        code = await reason(url, **secret)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert code == "HTTP_401"
    assert peak < 20_000_000
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "demand",
    [
        "Digest",
        "Digest realm",
        'Digest realm="x"',
        'Digest realm="x", nonce="y", algorithm=EVIL',
        'Digest realm="x", nonce="y", qop="auth-int"',
        'Digest realm="x", nonce="y", qop="never"',
        'Digest realm="\xff", nonce="\xe9"',
        "Digest " + 'a="b",' * 9000,
        "Bearer x",
        "",
    ],
)
async def test_a_demand_that_cannot_be_followed_is_a_wrong_password(secret, demand):
    head = f"HTTP/1.1 401 x\r\nContent-Length: 0\r\nWWW-Authenticate: {demand}\r\n\r\n".encode("latin-1")
    async with camera(head) as url:
        assert await reason(url, **secret) == "HTTP_401"


STREAM = b"HTTP/1.1 200 x\r\nContent-Type: multipart/x-mixed-replace; boundary=%s\r\n\r\n"


@pytest.mark.parametrize("named", [b"frame", b'"frame"', b"--frame"])
@pytest.mark.parametrize("length", [b"Content-Length: 7\r\n", b""])
async def test_the_first_picture_of_a_stream_is_taken(named, length):
    part = b"--frame\r\nContent-Type: image/jpeg\r\n%s\r\n\xff\xd8abc\xff\xd9\r\n" % length
    async with camera(STREAM % named, endless=part) as url:
        assert await HttpSnapshot(url, timeout_s=2).snapshot() == b"\xff\xd8abc\xff\xd9"


@pytest.mark.parametrize(
    ("begin", "code"),
    [(b"", "TOO_LARGE"), (b"--frame\r\n\r\n", "TOO_LARGE"), (b"--frame\r\nContent-Length: 999999999\r\n\r\n", "TOO_LARGE")],
)  # fmt: skip
async def test_a_stream_without_a_whole_picture_ends_at_the_limit(begin, code):
    async with camera(STREAM % b"frame", begin, endless=bytes(1 << 16)) as url:
        assert await reason(url, max_bytes=500_000) == code


@given(st.binary(max_size=60), st.integers(1, 9))
def test_a_part_is_the_same_however_it_arrives(picture, step):
    if b"x" in picture or picture != picture.rstrip(b"-\r\n"):
        return
    whole = b"--x\r\nContent-Type: image/png\r\n\r\n" + picture + b"\r\n--x\r\n"
    found = [
        part for end in range(0, len(whole) + 1, step) if (part := first_part(whole[:end], b"x")) is not None
    ]

    assert set(found) <= {picture}
    assert first_part(whole, b"x") == picture


@pytest.mark.parametrize("text", ["", "image/jpeg", "multipart/x-mixed-replace", "multipart/x; boundary=--"])
def test_what_names_no_boundary_is_no_stream(text):
    assert boundary_of(text) is None
