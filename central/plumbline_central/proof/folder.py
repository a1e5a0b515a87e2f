"""Opens what proofs are made of: ledger, registry, tree, heads and central's key in one data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plumbline.errors import ConfigError
from plumbline.signing import DeviceKey
from plumbline_central.ledger import Ledger
from plumbline_central.proof import heads, treelog
from plumbline_central.proof.heads import HeadBook
from plumbline_central.proof.treelog import TreeLog
from plumbline_central.registry import Registry
from plumbline_central.schema import Database, Migrations

MIGRATIONS: Final[Migrations] = (*treelog.MIGRATIONS, *heads.MIGRATIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """Everything there is to prove, and to prove it with."""

    ledger: Ledger
    registry: Registry
    tree: TreeLog
    book: HeadBook
    key: DeviceKey


def central_key(data_dir: Path) -> DeviceKey:
    """Central's own key, made on first use."""
    return DeviceKey.load_or_create(data_dir / "central.key")


@contextmanager
def open_proofs(data_dir: Path, archive_dir: Path | None = None) -> Iterator[Proofs]:
    """Beside a running service, too. Raises ConfigError where the folder has no ledger."""
    for name in ("ledger.db", "control.db"):
        if not (data_dir / name).exists():
            raise ConfigError(
                f"{data_dir / name} is not there", hint="Run the service once, or name its data folder."
            )
    ledger = Ledger.open(data_dir / "ledger.db", archive_dir)
    registry = Registry.open(data_dir / "control.db")
    db = Database.open(data_dir / "proof.db", MIGRATIONS)
    try:
        yield Proofs(
            ledger=ledger,
            registry=registry,
            tree=TreeLog(db, ledger),
            book=HeadBook(db),
            key=central_key(data_dir),
        )
    finally:
        db.close()
        registry.close()
        ledger.close()
