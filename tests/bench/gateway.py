"""A gateway with 10 meters x 30 values x 1 s, a real broker, a real central and a watcher of the page's stream.

Prints CPU and memory of the gateway, bytes a reading on the wire, and the time from asking a meter to the page's
event. Everything runs on loopback; the run ends by itself after about 100 seconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import machine

from plumbline_edge.meters.profiles.file import shipped
from plumbline_sim.demo.broker import free_port

METERS, VALUES = 10, 30
WARM_UP_S, WINDOW_S = 10.0, 60.0
PLUMBLINE = (sys.executable, "-m", "plumbline")
HERE = Path(__file__).parent


def thirty_values() -> str:
    """The SDM630's profile cut to thirty registers."""
    text = shipped()["eastron_sdm630"].read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"^\w+\s*=\s*\{\s*address", line)]
    drop = set(rows[VALUES:])
    return "\n".join(line for line in text.splitlines() if line not in drop) + "\n"


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, key: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"{key}:\s+(\d+)", status)[1]) * 1024 / 1e6


class Bench:
    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder = folder
        self.running = running

    def start(self, *command: str, log: str, **how: object) -> subprocess.Popen[str]:
        file = self.running.enter_context((self.folder / log).open("w"))
        process = subprocess.Popen(command, stderr=file, text=True, **({"stdout": file} | how))
        self.running.callback(self.end, process)
        return process

    @staticmethod
    def end(process: subprocess.Popen[str]) -> None:
        process.terminate()
        process.wait(30)

    def plumbline(self, *arguments: object) -> str:
        return subprocess.run(
            [*PLUMBLINE, *map(str, arguments)], check=True, capture_output=True, text=True
        ).stdout

    def site(self, broker_port: int, farm: subprocess.Popen[str]) -> Path:
        ports = farm.stdout.readline().split()
        path = self.folder / "site.toml"
        meters = "".join(
            f'[[meters]]\nname = "m{i}"\nprofile = "thirty.toml"\nhost = "127.0.0.1"\nport = {port}\nevery_s = 1\n'
            for i, port in enumerate(ports)
        )
        path.write_text(
            f'site = "bench"\ngateway = "bench-gw"\nstate_dir = "state"\nhealth_every_s = 3600\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {broker_port}\n{meters}',
            encoding="utf-8",
        )
        return path


def watch(url: str, seconds: float) -> list[float]:
    """Milliseconds from the moment a meter was asked until its values reached a watcher of the page's stream."""
    late_ms = []
    with httpx.stream("GET", f"{url}/api/v1/events?site=bench", timeout=30) as stream:
        until = time.monotonic() + seconds
        for line in stream.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line[5:])
                if "values" in event:
                    asked = datetime.fromisoformat(event["at"])
                    late_ms.append((datetime.now(UTC) - asked).total_seconds() * 1e3)
            if time.monotonic() > until:
                break
    return late_ms


def main() -> None:
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto is None:
        print(json.dumps({"skipped": "gateway bench", "why": "no mosquitto on this machine"}))
        return
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-bench-")))
        bench = Bench(folder, running)
        profile = folder / "thirty.toml"
        profile.write_text(thirty_values(), encoding="utf-8")
        broker_port, http_port = free_port(), free_port()
        (folder / "mosquitto.conf").write_text(f"listener {broker_port} 127.0.0.1\nallow_anonymous true\n")
        bench.start(mosquitto, "-c", str(folder / "mosquitto.conf"), log="mosquitto.log")
        farm = bench.start(
            sys.executable, str(HERE / "farm.py"), str(profile), str(METERS),
            log="farm.log", stdout=subprocess.PIPE, stdin=subprocess.PIPE,
        )  # fmt: skip
        site = bench.site(broker_port, farm)
        central = folder / "central.toml"
        central.write_text(
            f'data_dir = "central"\n[broker]\nhost = "127.0.0.1"\nport = {broker_port}\n'
            f'[http]\nhost = "127.0.0.1"\nport = {http_port}\n',
            encoding="utf-8",
        )
        key = json.loads(bench.plumbline("edge", "check", site, "--json"))["public_key"]
        bench.plumbline("central", "site", "bench", "--config", central)
        bench.plumbline("central", "enroll", "bench-gw", "--site", "bench", "--key", key, "--config", central)
        bench.start(*PLUMBLINE, "central", "run", str(central), log="central.log")
        url = f"http://127.0.0.1:{http_port}"
        for _ in range(200):
            try:
                httpx.get(f"{url}/api/v1/health")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        edge = bench.start(*PLUMBLINE, "edge", "run", str(site), log="edge.log")
        time.sleep(WARM_UP_S)

        before = status(bench, site), cpu_s(edge.pid), time.monotonic()
        late_ms = watch(url, WINDOW_S)
        after = status(bench, site), cpu_s(edge.pid), time.monotonic()
        readings = (after[0] - before[0]) * VALUES
        used_s = after[1] - before[1]
        rss_mb, peak_mb = (memory_mb(edge.pid, key) for key in ("VmRSS", "VmHWM"))
        bench.end(edge)
        sent_bytes, sent_records = sent(bench, site)

    load = f"{METERS} meters x {VALUES} values x 1 s, committed FULL before publish"
    machine.say(
        "gateway_cpu_ms_per_1000_readings", used_s * 1e6 / readings, "ms", load=load, readings=readings
    )
    machine.say("gateway_rss_mb", rss_mb, "MB", load=load, vision=False)
    machine.say("gateway_peak_rss_mb", peak_mb, "MB", load=load, vision=False)
    machine.say(
        "bytes_per_reading", sent_bytes / (sent_records * VALUES), "B", load=load, counts="MQTT payload"
    )
    quantiles = statistics.quantiles(late_ms, n=20)
    machine.say("poll_to_page_p50_ms", statistics.median(late_ms), "ms", load=load, frames=len(late_ms))
    machine.say("poll_to_page_p95_ms", quantiles[18], "ms", load=load, frames=len(late_ms))


def status(bench: Bench, site: Path) -> int:
    """Records the gateway has written so far."""
    lanes = json.loads(bench.plumbline("edge", "status", site, "--json"))["lanes"]
    return next(lane["last"] for lane in lanes if lane["lane"] == "data")


def sent(bench: Bench, site: Path) -> tuple[int, int]:
    """Bytes and records sent, as the gateway's last health record counts them."""
    lines = bench.plumbline("edge", "tail", site, "-n", "20", "--json").splitlines()
    health = [json.loads(line) for line in lines if '"kind": "health"' in line][-1]
    return health["counters"]["bytes_sent"], health["counters"]["records_sent"]


if __name__ == "__main__":
    main()
