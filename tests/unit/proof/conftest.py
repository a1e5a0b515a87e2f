"""A central's data folder with two sites' gateways in it, and what an intruder can do to it."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline import chain, codec, signing
from plumbline.messages import Body, Event, Frame, Gap, Lane, Photo, Progress, Record, ZoneProgress
from plumbline.signing import DeviceKey
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.proof.export import export
from plumbline_central.proof.folder import open_proofs
from plumbline_central.proof.heads import make_head
from plumbline_central.registry import Registry

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@dataclass
class PaperGateway:
    """Keeps its whole history, so that any range of any lane can be packed at any time."""

    name: str = "gw-1"
    site: str = "a12"
    epoch: str = "e1"
    key: DeviceKey = field(default_factory=lambda: DeviceKey(Ed25519PrivateKey.generate()))
    lanes: dict[Lane, list[Record]] = field(default_factory=dict)
    heads: dict[Lane, list[bytes]] = field(default_factory=dict)

    def record(self, body: Body, *, lane: Lane = "data") -> Record:
        records = self.lanes.setdefault(lane, [])
        heads = self.heads.setdefault(lane, [chain.start(self.name, self.epoch, lane)])
        seq = len(records) + 1
        made = Record(
            seq=seq,
            at_us=1_790_000_000_000_000 + seq * 1_000_000,
            boot="b" * 32,
            mono_us=seq * 1_000_000,
            clock="synced",
            body=body,
        )
        raw = codec.canonical(seq, made.at_us, made.boot, made.mono_us, made.clock, codec.encode_body(body))
        records.append(made)
        heads.append(chain.link(heads[-1], seq, raw))
        return made

    def frames(self, count: int, *, device: str = "m1") -> None:
        for _ in range(count):
            seq = len(self.lanes.get("data", ())) + 1
            values = (23_000 + seq, None if seq % 7 == 0 else seq * 1000, -seq)
            flaws = ((1, 102),) if seq % 7 == 0 else ()
            self.record(Frame(device=device, metrics=(1, 28, 11), values=values, flaws=flaws))

    def event(self, text: str) -> None:
        self.record(Event(code="started", text=text), lane="status")

    def gap(self, first: int, last: int, *, lane: Lane = "data") -> None:
        """Say that these records are gone."""
        heads = self.heads[lane]
        self.record(
            Gap(lane=lane, first=first, last=last, why="size", prev=heads[first - 1], head=heads[last]),
            lane="status",
        )

    def photo(self) -> None:
        self.record(Photo(camera="c1", photo="p1", jpeg=b"\xff\xd8" + bytes(300)), lane="photo")
        zones = (ZoneProgress(id="z1", percent=41.5, low=38.25, high=44.0, visible=0.75, stage=3),)
        self.record(
            Progress(camera="c1", photo="p1", percent=41.5, low=None, high=1e300, zones=zones, grid=(3, 200))
        )

    def pack(self, first: int, last: int, *, lane: Lane = "data") -> bytes:
        packed = self.lanes[lane][first - 1 : last]
        return codec.pack_batch(
            packed,
            [codec.encode_body(record.body) for record in packed],
            site=self.site,
            gateway=self.name,
            epoch=self.epoch,
            lane=lane,
            prev=self.heads[lane][first - 1],
            head=self.heads[lane][last],
            algorithm=signing.ALGORITHM,
            sign=self.key.sign,
        )


@dataclass
class World:
    """A data folder, and the gateways that fill it."""

    folder: Path
    gateways: dict[str, PaperGateway] = field(default_factory=dict)
    received_us: int = 1_790_000_100_000_000

    def enroll(self, gateway: PaperGateway) -> PaperGateway:
        self.gateways[gateway.name] = gateway
        registry = Registry.open(self.folder / "control.db")
        registry.add_site(gateway.site)
        registry.enroll(gateway.name, gateway.site, gateway.key.public)
        registry.close()
        return gateway

    def receive(self, *payloads: bytes) -> None:
        ledger = Ledger.open(self.folder / "ledger.db")
        for payload in payloads:
            self.received_us += 1_000_000
            arrival = Arrival(received_us=self.received_us, payload=payload, batch=codec.open_batch(payload))
            (outcome,) = ledger.append([arrival])
            assert outcome.status == "stored", outcome
        ledger.close()

    def copy(self, folder: Path) -> World:
        shutil.copytree(self.folder, folder)
        gateways = {
            name: replace(
                gateway,
                lanes={lane: list(records) for lane, records in gateway.lanes.items()},
                heads={lane: list(heads) for lane, heads in gateway.heads.items()},
            )
            for name, gateway in self.gateways.items()
        }
        return World(folder, gateways, self.received_us)

    def proofs(self):
        return open_proofs(self.folder)

    def meddle(self, script: str, *values: object) -> None:
        """What somebody with the file and an SQL prompt can do."""
        db = sqlite3.connect(self.folder / "ledger.db")
        with db:
            for number, statement in enumerate(filter(None, map(str.strip, script.split(";")))):
                db.execute(statement, values if number == 0 else ())
        db.close()


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def paper_gateway():
    return PaperGateway


def fill(world: World) -> None:
    """Two gateways of one site and one of another, 14 batches: out of order, overlapping, with a declared gap."""
    one = world.enroll(PaperGateway("gw-1"))
    two = world.enroll(PaperGateway("gw-2", epoch="e2"))
    other = world.enroll(PaperGateway("gw-9", site="b7", epoch="e9"))
    for gateway in (one, two, other):
        gateway.event("hello")
        gateway.frames(60)
        gateway.photo()
        gateway.frames(20, device="m2")
    one.gap(21, 30)  # the outbox had been full
    world.receive(
        one.pack(1, 1, lane="status"),
        one.pack(1, 10),
        two.pack(1, 10),
        other.pack(1, 20),
        one.pack(41, 50),  # live readings first
        one.pack(11, 20),
        two.pack(11, 30),
        one.pack(1, 1, lane="photo"),
        one.pack(31, 45),  # overlaps
        one.pack(51, 81),
        one.pack(2, 2, lane="status"),
        two.pack(31, 81),
        other.pack(21, 81),
        other.pack(1, 1, lane="status"),
    )


@pytest.fixture(scope="session")
def first_day(tmp_path_factory):
    """Made once; each test works on its own copy."""
    world = World(tmp_path_factory.mktemp("first_day") / "data")
    world.folder.mkdir()
    fill(world)
    return world


@pytest.fixture(scope="session")
def second_day(first_day, tmp_path_factory):
    """After two daily heads, with the second's evidence file."""
    world = first_day.copy(tmp_path_factory.mktemp("second_day") / "data")
    with world.proofs() as proofs:
        make_head(proofs.tree, proofs.book, proofs.key, NOW)
    gateway = world.gateways["gw-1"]
    gateway.frames(9)
    world.receive(gateway.pack(82, 90))
    with world.proofs() as proofs:
        export(proofs, world.folder / "evidence.zip", NOW + timedelta(days=1))
    return world


@pytest.fixture
def site(request, tmp_path):
    """The data folder: of the second day where the test also wants its evidence file."""
    day = "second_day" if "evidence" in request.fixturenames else "first_day"
    return request.getfixturevalue(day).copy(tmp_path / "data")


@pytest.fixture
def evidence(site, tmp_path):
    """The evidence file of the whole site, after two daily heads."""
    return (site.folder / "evidence.zip").rename(tmp_path / "evidence.zip")


def _module(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def verifier():
    """The stand-alone program, loaded as a module."""
    return _module("plumbline_verify", Path(__file__).parents[3] / "deploy/verify/plumbline_verify.py")


@pytest.fixture
def intruder(evidence, verifier):
    """The evidence file in the hands of somebody without keys."""
    module = _module("plumbline_tests_intruder", Path(__file__).with_name("intruder.py"))
    return module.Intruder(evidence, verifier)
