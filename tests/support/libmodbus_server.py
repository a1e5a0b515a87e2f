"""A Modbus server that is not ours: libmodbus, the C library of the field, driven through ctypes.

`python libmodbus_server.py tcp PORT WORDS.json` or `rtu DEVICE WORDS.json`: answers unit 1 with the words in the file
(a list of [function, address, value]) until it is ended.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path

LIBRARY = "libmodbus.so.5"
LONGEST = 260


class Mapping(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int) for name in (
            "nb_bits", "start_bits", "nb_input_bits", "start_input_bits",
            "nb_input_registers", "start_input_registers", "nb_registers", "start_registers",
        )),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)), ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)), ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    ]  # fmt: skip


def main(kind: str, where: str, words: Path) -> None:
    library = ctypes.CDLL(LIBRARY, use_errno=True)
    library.modbus_new_tcp.restype = library.modbus_new_rtu.restype = ctypes.c_void_p
    library.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    mapping = library.modbus_mapping_new(0, 0, 65_536, 65_536)
    for function, address, value in json.loads(words.read_text()):
        table = mapping.contents.tab_registers if function == 3 else mapping.contents.tab_input_registers
        table[address] = value
    if kind == "tcp":
        context = ctypes.c_void_p(library.modbus_new_tcp(b"127.0.0.1", int(where)))
        socket = ctypes.c_int(library.modbus_tcp_listen(context, 1))
        print("ready", flush=True)
        library.modbus_tcp_accept(context, ctypes.byref(socket))
    else:
        context = ctypes.c_void_p(library.modbus_new_rtu(where.encode(), 9600, ctypes.c_char(b"N"), 8, 1))
        library.modbus_set_slave(context, 1)
        if library.modbus_connect(context):
            sys.exit(f"libmodbus cannot open {where}")
        print("ready", flush=True)
    query = (ctypes.c_uint8 * LONGEST)()
    while True:
        length = library.modbus_receive(context, query)
        if length > 0:
            library.modbus_reply(context, query, length, mapping)
        elif length < 0 and kind == "tcp":
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
