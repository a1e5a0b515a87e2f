"""The two ways in which a meter gives no value, for everyone who asks one."""

from __future__ import annotations

from plumbline.errors import Refused, Unreachable


class BusFailure(Unreachable):
    """No usable answer. `kind` is one of: connection, reset, timeout, crc, garbage, gateway, late."""

    def __init__(self, message: str, *, kind: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class ExceptionAnswer(Refused):
    """The meter answered that it will not: a Modbus exception, or DL/T 645's error word, is its `code`."""

    def __init__(self, message: str, *, code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
