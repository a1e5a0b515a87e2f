"""A gateway that exists only as its key, its lanes and what it would send."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline import chain, codec, signing
from plumbline.messages import Body, Frame, Lane, Record
from plumbline.signing import DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_central.registry import Gateway


@dataclass
class PaperGateway:
    """Keeps its whole history, so that any range of any lane can be packed at any time."""

    name: str = "gw-1"
    site: str = "a12"
    epoch: str = "e1"
    key: DeviceKey = field(default_factory=lambda: DeviceKey(Ed25519PrivateKey.generate()))
    lanes: dict[Lane, list[Record]] = field(default_factory=dict)
    heads: dict[Lane, list[bytes]] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        return GatewayTopics(self.site, self.name).up

    @property
    def enrolled(self) -> Gateway:
        return Gateway(id=self.name, site=self.site, key=self.key.public, algorithm=signing.ALGORITHM)

    def lookup(self, name: str) -> Gateway | None:
        return self.enrolled if name == self.name else None

    def record(self, body: Body, *, lane: Lane = "data", at_us: int | None = None) -> Record:
        records = self.lanes.setdefault(lane, [])
        heads = self.heads.setdefault(lane, [chain.start(self.name, self.epoch, lane)])
        seq = len(records) + 1
        made = Record(
            seq=seq,
            at_us=1_790_000_000_000_000 + seq * 1_000_000 if at_us is None else at_us,
            boot="b" * 32,
            mono_us=seq * 1_000_000,
            clock="synced",
            body=body,
        )
        raw = codec.canonical(seq, made.at_us, made.boot, made.mono_us, made.clock, codec.encode_body(body))
        records.append(made)
        heads.append(chain.link(heads[-1], seq, raw))
        return made

    def frames(self, count: int, *, lane: Lane = "data", device: str = "m1") -> list[Record]:
        return [
            self.record(Frame(device=device, metrics=(1, 28), values=(23_000 + i, i)), lane=lane)
            for i in range(count)
        ]

    def pack(
        self, first: int, last: int, *, lane: Lane = "data", records: Sequence[Record] | None = None
    ) -> bytes:
        packed = records or self.lanes[lane][first - 1 : last]
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
