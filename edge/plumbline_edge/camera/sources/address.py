"""Finds a camera's address and refuses those a gateway must not be led to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final

from plumbline_edge.camera.sources.port import PhotoRefused, PhotoUnreachable

_METADATA: Final = frozenset({ipaddress.ip_address("100.100.100.200"), ipaddress.ip_address("fd00:ec2::254")})
"""Addresses outside the link-local range where clouds serve machine credentials."""


def is_allowed_address(text: str) -> bool:
    """Whether the gateway may fetch pictures from this IP address: no link-local, metadata or unspecified one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = inner or address
    return not (
        address.is_link_local or address.is_unspecified or address.is_multicast or address in _METADATA
    )


async def checked_address(host: str, port: int) -> str:
    """The IP address to connect to in place of `host`, so that nothing can resolve the name anew.

    Raises PhotoUnreachable (NAME) where there is none, PhotoRefused (ADDRESS) where no one may go.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise PhotoUnreachable(
            f"no address for {host}", code="NAME", hint="Check the name, or use the camera's IP address."
        ) from None
    addresses = [str(entry[4][0]) for entry in found]
    allowed = [address for address in addresses if is_allowed_address(address)]
    if not allowed:
        raise PhotoRefused(
            f"{host} is a link-local or reserved address",
            code="ADDRESS",
            hint="Give the camera an address of the site's own network.",
        )
    return allowed[0]
