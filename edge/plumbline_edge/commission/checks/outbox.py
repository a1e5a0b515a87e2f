"""Whether the outbox file is whole, and how much in it waits for central."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from plumbline.clock import Clock, from_us
from plumbline_edge.commission.checks.finding import Finding, fault, ok, warning
from plumbline_edge.outbox.view import lane_states
from plumbline_edge.settings import SiteSettings

_WHAT: Final = "outbox"
_LONG_S: Final = 3_600.0


def check(settings: SiteSettings, clock: Clock) -> list[Finding]:
    """Blocks while the file is read through. The gateway may go on running."""
    path = Path(settings.state_dir) / "outbox.db"
    if not path.exists():
        return [ok(_WHAT, "none yet: it is made at the first start")]
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            whole = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if whole != "ok":
                return [_damaged(path, str(whole))]
            states = list(lane_states(db))
    except sqlite3.Error as error:
        return [_damaged(path, str(error))]
    waiting = sum(state.waiting for state in states)
    parked = sum(state.parked for state in states)
    oldest = min(
        (s.oldest_unacknowledged_us for s in states if s.oldest_unacknowledged_us is not None), default=None
    )
    findings = []
    if oldest is None or (clock.wall() - from_us(oldest)).total_seconds() < _LONG_S:
        findings.append(ok(_WHAT, f"whole; {waiting} records wait for central"))
    else:
        said = f"whole; {waiting} records wait for central, the oldest since {from_us(oldest):%Y-%m-%d %H:%M} UTC"
        findings.append(
            warning(_WHAT, said, "See the broker above, and whether the gateway is enrolled and runs.")
        )
    if parked:
        hint = "Ask who runs central why: plumbline central gaps"
        findings.append(warning(_WHAT, f"{parked} records were refused by central", hint))
    return findings


def _damaged(path: Path, why: str) -> Finding:
    return fault(
        _WHAT, f"{path}: {why}", "Start the gateway: it saves what can be read and begins a new file."
    )
