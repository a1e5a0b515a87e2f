"""Which sites there are, and which gateways may speak for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from plumbline.errors import Refused
from plumbline.signing import ALGORITHM
from plumbline.topics import NAME, is_name
from plumbline_central.schema import Database, Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "registry_1",
        """
        CREATE TABLE site (id TEXT PRIMARY KEY, name_zh TEXT NOT NULL, name_en TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE gateway (
            id TEXT PRIMARY KEY, site TEXT NOT NULL REFERENCES site (id), key TEXT NOT NULL,
            algorithm TEXT NOT NULL
        ) WITHOUT ROWID;
        """,
    ),
)
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One construction site, named for people in both languages."""

    id: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One enrolled gateway: `key` is the public half of its device key in hex."""

    id: str
    site: str
    key: str
    algorithm: str


class Registry:
    """Sites and gateways in control.db. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @classmethod
    def open(cls, path: Path) -> Self:
        """The registry kept in the file at `path`, made where there is none. Raises ConfigError."""
        return cls(Database.open(path, MIGRATIONS))

    def close(self) -> None:
        self._db.close()

    def sites(self) -> list[Site]:
        """By id."""
        with self._db.read() as db:
            rows = db.execute("SELECT id, name_zh, name_en FROM site ORDER BY id").fetchall()
        return [_site(row) for row in rows]

    def site(self, site: str) -> Site | None:
        with self._db.read() as db:
            row = db.execute("SELECT id, name_zh, name_en FROM site WHERE id = ?", (site,)).fetchone()
        return _site(row) if row else None

    def gateways(self, site: str | None = None) -> list[Gateway]:
        """By id; of one site, or all."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT id, site, key, algorithm FROM gateway WHERE ?1 IS NULL OR site = ?1 ORDER BY id",
                (site,),
            ).fetchall()
        return [_gateway(row) for row in rows]

    def gateway(self, gateway: str) -> Gateway | None:
        with self._db.read() as db:
            row = db.execute(
                "SELECT id, site, key, algorithm FROM gateway WHERE id = ?", (gateway,)
            ).fetchone()
        return _gateway(row) if row else None

    def add_site(self, site: str, *, name_zh: str = "", name_en: str = "") -> Site:
        """Add or rename a site; without names it is called by its id. Raises Refused for an id that is no name."""
        _require_name("site", site)
        added = Site(id=site, name_zh=name_zh or name_en or site, name_en=name_en or name_zh or site)
        with self._db.write() as db:
            db.execute(
                "INSERT INTO site VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
                " SET name_zh = excluded.name_zh, name_en = excluded.name_en",
                (added.id, added.name_zh, added.name_en),
            )
        return added

    def enroll(self, gateway: str, site: str, key: str, *, algorithm: str = ALGORITHM) -> Gateway:
        """Let `gateway` speak for `site` with this public key (64 hex digits). The same again changes nothing.

        Raises Refused where the site is unknown, the key is none, or the gateway is enrolled otherwise: a key
        change would make records already kept unprovable, so a new key means a new gateway name.
        """
        _require_name("gateway", gateway)
        enrolled = Gateway(id=gateway, site=site, key=key.strip().lower(), algorithm=algorithm)
        if algorithm != ALGORITHM:
            raise Refused(f"unknown signature algorithm {algorithm!r}", hint=f"Known: {ALGORITHM}.")
        if not _is_key(enrolled.key):
            raise Refused(
                f"{key!r} is no public key",
                hint="64 hex digits, as `plumbline edge check` prints them on the gateway.",
            )
        with self._db.write() as db:
            if db.execute("SELECT 1 FROM site WHERE id = ?", (site,)).fetchone() is None:
                raise Refused(f"there is no site {site!r}", hint=f"plumbline central site {site}")
            row = db.execute(
                "SELECT id, site, key, algorithm FROM gateway WHERE id = ?", (gateway,)
            ).fetchone()
            if row is not None and _gateway(row) != enrolled:
                raise Refused(
                    f"gateway {gateway!r} is already enrolled at site {row[1]!r} with another key or site",
                    hint="Give the gateway a new name; its old records stay provable under the old one.",
                )
            db.execute(
                "INSERT OR IGNORE INTO gateway VALUES (?, ?, ?, ?)",
                (enrolled.id, enrolled.site, enrolled.key, enrolled.algorithm),
            )
        return enrolled


def _site(row: tuple[str, str, str]) -> Site:
    return Site(id=row[0], name_zh=row[1], name_en=row[2])


def _gateway(row: tuple[str, str, str, str]) -> Gateway:
    return Gateway(id=row[0], site=row[1], key=row[2], algorithm=row[3])


def _require_name(what: str, text: str) -> None:
    if not is_name(text):
        raise Refused(f"{text!r} cannot name a {what}", hint=f"Names match {NAME}")


def _is_key(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == _KEY_BYTES
    except ValueError:
        return False
