"""How a simulated meter says what it is: the registers its profile names, and function 43/14."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from plumbline_edge.meters.profiles.profile import LENGTHS, STRUCT_CODES, Identity, Profile

READ_DEVICE_IDENTIFICATION: Final = 43
_MEI_DEVICE: Final = 14
_CONFORMITY: Final = 0x82  # regular objects, as a stream and one by one
_LAST_BASIC, _LAST_REGULAR, _LAST_EXTENDED = 2, 6, 255
_STREAMS: Final = {1: _LAST_BASIC, 2: _LAST_REGULAR, 3: _LAST_EXTENDED}
_ONE: Final = 4
_LONGEST_TEXT: Final = 40  # seven of them fit into one answer
_REVISION: Final = "1.0"

Place = tuple[int, int, int]
"""(function, first address, number of registers)."""


class NoSuchObject(Exception):
    """The request cannot be answered; `code` is the exception a meter gives."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def number_of(name: str) -> str:
    """A serial number for a meter that was given none: always the same for the same name."""
    return f"{zlib.crc32(name.encode()) % 10**8:08}"


def places(profile: Profile, serial_number: str) -> dict[Place, bytes]:
    """What stands in the registers that tell the family and the meter's own number."""
    found: dict[Place, bytes] = {}
    for identity in profile.identify:
        if identity.function != READ_DEVICE_IDENTIFICATION:
            place = (identity.function, identity.address, identity.count)
            found.setdefault(place, _block(identity.type, identity.count, identity.equals[0]))
    if (own := profile.serial_number) is not None:
        value = serial_number if own.type == "text" else _as_number(serial_number)
        found.setdefault((own.function, own.address, own.count), _block(own.type, own.count, value))
    return found


def objects(profile: Profile) -> dict[int, bytes]:
    """The device identification: vendor, product code, revision, product name, model name."""
    model = profile.covers[0] if profile.covers else profile.name
    texts = {0: profile.maker, 1: model, 2: _REVISION, 4: profile.name, 5: model}
    for identity in profile.identify:
        if identity.function == READ_DEVICE_IDENTIFICATION:
            texts[identity.address] = _text(identity)
    return {number: text.encode("ascii", "replace")[:_LONGEST_TEXT] for number, text in texts.items()}


def device_identification(pdu: bytes, known: dict[int, bytes]) -> bytes:
    """The answer to a request of function 43. Raises NoSuchObject."""
    if len(pdu) != 4 or pdu[1] != _MEI_DEVICE:
        raise NoSuchObject(1)
    code, first = pdu[2], pdu[3]
    if code == _ONE:
        if first not in known:
            raise NoSuchObject(2)
        wanted = [first]
    elif code in _STREAMS:
        begin = first if first in known else 0
        wanted = [number for number in sorted(known) if begin <= number <= _STREAMS[code]]
    else:
        raise NoSuchObject(3)
    listed = b"".join(bytes((number, len(known[number]))) + known[number] for number in wanted)
    return bytes((pdu[0], _MEI_DEVICE, code, _CONFORMITY, 0, 0, len(wanted))) + listed


def _block(kind: str, count: int, value: int | str) -> bytes:
    if kind == "text":
        return str(value).encode("ascii", "replace")[: 2 * count].ljust(2 * count, b"\0")
    return struct.pack(">" + STRUCT_CODES[kind], int(value) % (1 << 16 * LENGTHS[kind]))


def _as_number(serial_number: str) -> int:
    digits = "".join(c for c in serial_number if c.isdecimal())
    return int(digits) if digits else zlib.crc32(serial_number.encode())


def _text(identity: Identity) -> str:
    return str(identity.equals[0])
