"""A table as Parquet, one row group a portion; the one file that imports pyarrow, and only when it is asked for."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from plumbline_central.export.table import Row, Table

MEDIA_TYPE: Final = "application/vnd.apache.parquet"


def parquet_file(table: Table, portions: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    """The file in pieces: each portion as it is written, then what Parquet keeps at its end."""
    import pyarrow as pa  # noqa: PLC0415 - tens of megabytes that most services never need
    from pyarrow import parquet  # noqa: PLC0415

    kinds = {
        "text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "time": pa.timestamp("us", tz="UTC"),
    }  # fmt: skip
    schema = pa.schema([pa.field(name, kinds[kind]) for name, kind in table.columns])
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for rows in portions:
            columns: list[Any] = list(zip(*rows, strict=True))
            batch = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(batch, schema=schema))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file that forgets what was taken from it."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def write(self, some: Any) -> int:
        self._written += bytes(some)
        return len(some)

    def tell(self) -> int:
        return self._taken + len(self._written)

    def close(self) -> None:
        """Nothing to let go; what is left is still to be taken."""

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._taken += len(taken)
        self._written.clear()
        return taken
