"""Where the demo's central keeps its time series: the `[store]` of its settings, and the server behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from plumbline.errors import ConfigError
from plumbline_sim.demo import influxd
from plumbline_sim.demo.tree import ProcessTree

_WANTED: Final = tuple(f"PLUMBLINE_INFLUX2_{word}" for word in ("URL", "TOKEN", "ORG", "BUCKET"))


class StoreName(StrEnum):
    """Where central keeps time series."""

    SQLITE = "sqlite"
    INFLUX1 = "influx1"
    INFLUX2 = "influx2"


def check(name: StoreName) -> None:
    """Return where the demo can have this store. Raises ConfigError, before anything is started."""
    if name is StoreName.INFLUX1:
        influxd.influxd()
    if name is StoreName.INFLUX2 and (missing := [word for word in _WANTED if not os.environ.get(word)]):
        raise ConfigError(
            f"--store influx2: no InfluxDB 2 is named: {', '.join(missing)} not set",
            hint=f"Set {', '.join(_WANTED)}; the demo writes its readings into that bucket.",
        )


async def table(name: StoreName, tree: ProcessTree, folder: Path) -> Mapping[str, str]:
    """The `[store]` for central's settings, its server running. Raises Unreachable where that does not start."""
    match name:
        case StoreName.SQLITE:
            return {}
        case StoreName.INFLUX1:
            return {"kind": name, "url": await influxd.start(tree, folder)}
        case StoreName.INFLUX2:
            url, token, org, bucket = (os.environ[word] for word in _WANTED)
            file = folder / "influx2.token"
            file.touch(mode=0o600)
            file.write_text(token, encoding="utf-8")
            return {"kind": name, "url": url, "org": org, "bucket": bucket, "token_file": file.name}
