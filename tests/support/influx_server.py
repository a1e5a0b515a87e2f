"""Debian's InfluxDB 1.6 as a process of the tests: own data, loopback, a free port; it may be killed and come back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import httpx

from plumbline_sim.demo.broker import free_port
from plumbline_sim.demo.influxd import config_text

INFLUXD = shutil.which("influxd")
MISSING = "influxd is not installed: apt install influxdb"


class InfluxServer:
    """`up` returns once it answers; `kill` is a power cut, `down` a clean end."""

    def __init__(self, folder, *, auth=False, most_bytes=25_000_000):
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / "influxdb.conf"
        self._config.write_text(
            config_text(folder, port=self.port, rpc_port=free_port(), auth=auth)
            + f"  max-body-size = {most_bytes}\n"
        )
        self._process = None

    def up(self):
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [INFLUXD, "run", "-config", self._config], stdout=log, stderr=log, cwd=self.folder
            )
        for _ in range(600):
            try:
                if httpx.get(f"{self.url}/ping", trust_env=False).status_code == 204:
                    return self
            except httpx.TransportError:
                assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.05)  # another process
        raise TimeoutError((self.folder / "log").read_text()[-2000:])

    def kill(self):
        self._end(signal.SIGKILL)

    def down(self):
        self._end(signal.SIGTERM)

    def stall(self, *, stalled=True):
        """It holds its connections and answers nothing."""
        os.kill(self._process.pid, signal.SIGSTOP if stalled else signal.SIGCONT)

    def ask(self, statement, *, database=None, auth=None):
        """What a person's own InfluxQL gets: the first series' rows, its columns by name."""
        query = {"q": statement, "epoch": "u", **({"db": database} if database else {})}
        answer = httpx.post(f"{self.url}/query", data=query, auth=auth, trust_env=False)
        (result,) = answer.json()["results"]
        assert "error" not in result, result
        return [
            dict(zip(series["columns"], row, strict=True), **series.get("tags", {}))
            for series in result.get("series", ())
            for row in series.get("values", ())
        ]

    def _end(self, number):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)
        self._process = None
