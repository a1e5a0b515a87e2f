from __future__ import annotations

import asyncio
import base64
import time
import tracemalloc
from contextlib import asynccontextmanager
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError, Refused, Unreachable
from plumbline_edge.camera.image import decode
from plumbline_edge.camera.reasons import REASONS
from plumbline_edge.camera.sources.address import is_allowed_address
from plumbline_edge.camera.sources.http import HttpSnapshot
from plumbline_edge.camera.sources.port import PhotoRefused, PhotoUnreachable
from plumbline_sim.camera import CameraFault

FAULTS = get_args(CameraFault)


@asynccontextmanager
async def answering(answer):
    """A server that passes each request's head to `answer` and sends back what it returns; yields its port."""

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(head.decode()))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def http(status, *headers, body=b""):
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def reason(source):
    with pytest.raises((PhotoUnreachable, PhotoRefused)) as failed:
        await source.snapshot()
    return failed.value


async def test_a_picture_comes_as_the_camera_sent_it(server):
    data = await HttpSnapshot(server.url).snapshot()

    assert decode(data, max_megapixels=1).shape == (360, 640, 3)
    assert [shot.outcome for shot in server.oplog.shots] == ["picture"]


@pytest.mark.timed
@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        ("hang", "TIMEOUT", Unreachable),
        ("slow", "TIMEOUT", Unreachable),
        ("endless", "TOO_LARGE", Refused),
        ("not_found", "HTTP_404", Refused),
        ("broken", "HTTP_503", Unreachable),
        ("redirect", "REDIRECT", Refused),
    ],
)
async def test_a_failing_camera_costs_bounded_time_and_memory(server, fault, code, kind):
    server.fault = fault
    began = time.monotonic()
    tracemalloc.start()
    why = await reason(HttpSnapshot(server.url, timeout_s=0.6, max_bytes=1_000_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (why.code, isinstance(why, kind), bool(why.hint)) == (code, True, True)
    assert time.monotonic() - began < 3
    assert peak < 6_000_000


async def test_a_closed_port_is_unreachable():
    async with answering(lambda head: b"") as port:
        pass
    why = await reason(HttpSnapshot(f"http://127.0.0.1:{port}/snapshot.jpg"))

    assert (why.code, isinstance(why, Unreachable)) == ("CONNECT", True)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", http(200, body=b"x" * 50)[:-20]])
async def test_a_camera_that_breaks_off_is_unreachable(answer):
    async with answering(lambda head: answer) as port:
        why = await reason(HttpSnapshot(f"http://127.0.0.1:{port}/"))

    assert (why.code, isinstance(why, Unreachable)) == ("PROTOCOL", True)


async def test_a_declared_length_over_the_limit_is_refused_before_it_is_read():
    async with answering(lambda head: b"HTTP/1.1 200 x\r\ncontent-length: 9000001\r\n\r\n") as port:
        why = await reason(HttpSnapshot(f"http://127.0.0.1:{port}/", timeout_s=30))

    assert why.code == "TOO_LARGE"


async def test_a_compressed_answer_is_refused_unexpanded():
    async with answering(lambda head: http(200, "content-encoding: gzip", body=b"\x1f\x8b")) as port:
        why = await reason(HttpSnapshot(f"http://127.0.0.1:{port}/"))

    assert why.code == "UNREADABLE"


async def test_a_redirect_on_the_same_host_is_followed():
    def answer(head):
        return http(200, body=b"picture") if "GET /b" in head else http(302, "location: /b")

    async with answering(answer) as port:
        assert await HttpSnapshot(f"http://127.0.0.1:{port}/a").snapshot() == b"picture"


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:1/", "https://127.0.0.1/", "//192.0.2.7/x", "file:///etc/passwd", "http://[", "/a"],
)
async def test_redirects_elsewhere_or_without_end_are_refused(location):
    async with answering(lambda head: http(302, f"location: {location}")) as port:
        why = await reason(HttpSnapshot(f"http://127.0.0.1:{port}/a"))

    assert why.code == "REDIRECT"


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "password"
    path.write_text("s3cret\n")
    return str(path)


async def test_the_password_is_sent_only_when_asked_for(password_file):
    heads = []

    def answer(head):
        heads.append(head.lower())
        return http(200, body=b"picture")

    async with answering(answer) as port:
        await HttpSnapshot(f"http://127.0.0.1:{port}/", username="me", password_file=password_file).snapshot()

    assert len(heads) == 1
    assert "authorization" not in heads[0]


async def test_basic_authentication_with_the_password_of_the_file(password_file):
    wanted = base64.b64encode(b"me:s3cret").decode()

    def answer(head):
        if f"Basic {wanted}" in head:
            return http(200, body=b"picture")
        return http(401, 'WWW-Authenticate: Basic realm="cam"')

    async with answering(answer) as port:
        source = HttpSnapshot(f"http://127.0.0.1:{port}/", username="me", password_file=password_file)

        assert await source.snapshot() == b"picture"


async def test_digest_is_preferred_and_the_password_stays_secret(password_file):
    heads = []

    def answer(head):
        heads.append(head)
        if "Digest username=" in head:
            return http(200, body=b"picture")
        return http(
            401,
            'WWW-Authenticate: Basic realm="cam"',
            'WWW-Authenticate: Digest realm="cam", nonce="abc", qop="auth"',
        )

    async with answering(answer) as port:
        source = HttpSnapshot(f"http://127.0.0.1:{port}/", username="me", password_file=password_file)

        assert await source.snapshot() == b"picture"
    assert len(heads) == 2
    assert "s3cret" not in "".join(heads)
    assert base64.b64encode(b"me:s3cret").decode() not in "".join(heads)


async def test_a_wrong_password_is_refused_with_where_to_look(password_file):
    async with answering(lambda head: http(401, 'WWW-Authenticate: Digest realm="c", nonce="n"')) as port:
        why = await reason(
            HttpSnapshot(f"http://127.0.0.1:{port}/", username="me", password_file=password_file)
        )

    assert (why.code, "password_file" in why.hint) == ("HTTP_401", True)


async def test_a_missing_password_file_is_a_config_error():
    with pytest.raises(ConfigError, match="gone"):
        await HttpSnapshot("http://127.0.0.1:1/", username="me", password_file="gone").snapshot()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://camera/x",
        "file:///etc/passwd",
        "http://",
        "camera/snapshot",
        "http://me:pw@camera/",
        "http://[::1",
    ],
)
async def test_addresses_that_are_not_plain_http_are_refused(url):
    assert (await reason(HttpSnapshot(url))).code == "ADDRESS"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::]",
        "0.0.0.0",
        "[fe80::1]",
        "[::ffff:169.254.1.1]",
        "2852039166",
        "100.100.100.200",
    ],
)
async def test_link_local_and_metadata_addresses_are_never_asked(host):
    assert (await reason(HttpSnapshot(f"http://{host}/latest/meta-data", timeout_s=2))).code == "ADDRESS"


@given(st.ip_addresses(network="169.254.0.0/16"))
def test_no_link_local_address_is_allowed_in_any_spelling(address):
    assert not is_allowed_address(str(address))
    assert not is_allowed_address(f"::ffff:{address}")


@pytest.mark.parametrize("address", ["10.0.0.5", "192.168.1.108", "127.0.0.1", "fd12::5", "2001:db8::1"])
def test_addresses_of_a_sites_own_network_are_allowed(address):
    assert is_allowed_address(address)


async def test_a_name_without_an_address_is_unreachable():
    assert (await reason(HttpSnapshot("http://no-such-camera.invalid/", timeout_s=5))).code in {
        "NAME",
        "TIMEOUT",
    }


async def test_no_password_or_url_stands_in_any_error(server, password_file):
    for fault in FAULTS:
        server.fault = fault
        try:
            await HttpSnapshot(
                server.url + "?token=t0ken",
                timeout_s=0.3,
                max_bytes=1000,
                username="me",
                password_file=password_file,
            ).snapshot()
        except (PhotoUnreachable, PhotoRefused) as why:
            text = f"{why} {why.hint} {why.code}"
            assert not {"s3cret", "t0ken"} & set(text.replace("=", " ").split())
            assert why.code in REASONS or why.code.startswith("HTTP_")  # noqa: PT017
