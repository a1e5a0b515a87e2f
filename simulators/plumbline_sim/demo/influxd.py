"""InfluxDB 1.x for the demo: a process of its own with its own data, on loopback, gone when the demo is."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final

from plumbline.errors import ConfigError, Unreachable
from plumbline_sim.demo.broker import free_port
from plumbline_sim.demo.tree import ProcessTree

_START_S: Final = 60.0
_CONFIG: Final = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{folder}/meta"
  logging-enabled = false
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  index-version = "tsi1"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {auth}
"""


def config_text(folder: Path, *, port: int, rpc_port: int, auth: bool = False) -> str:
    """A configuration for `influxd run -config` that keeps everything in `folder`."""
    return _CONFIG.format(folder=folder, port=port, rpc_port=rpc_port, auth=str(auth).lower())


def influxd() -> str:
    """The program. Raises ConfigError where it is not installed."""
    found = shutil.which("influxd")
    if found is None:
        raise ConfigError(
            "--store influx1: influxd is not on the PATH",
            hint="`apt install influxdb` on Debian brings InfluxDB 1.6; or leave --store out.",
        )
    return found


async def start(tree: ProcessTree, folder: Path) -> str:
    """The address of a server that answers. Raises Unreachable where it does not start."""
    port, data = free_port(), folder / "influxdb"
    data.mkdir()
    config = data / "influxdb.conf"
    config.write_text(config_text(data, port=port, rpc_port=free_port()), encoding="utf-8")
    await tree.start("influxd", [influxd(), "run", "-config", str(config)], environment={})
    try:
        async with asyncio.timeout(_START_S):
            while not await _listens(port):
                tree.check()
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise Unreachable("influxd did not start", hint="See its log in the demo's logs folder.") from None
    return f"http://127.0.0.1:{port}"


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
