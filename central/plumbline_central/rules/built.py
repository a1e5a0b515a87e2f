"""The rules with everything they stand on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from plumbline_central.deviation import Band
from plumbline_central.indicators.book import IndicatorBook
from plumbline_central.rules.certificates import CertificateFiles
from plumbline_central.rules.judge import Judge
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.metering import EnergyBook, Telemetry
from plumbline_central.rules.reader import SnapshotReader, Sources, meters_of
from plumbline_central.rules.snapshot import Milestone
from plumbline_central.schema import Database
from plumbline_central.stores.gateways import GatewayStore


def built(
    control: Database,
    indicators: IndicatorBook,
    gateways: GatewayStore,
    telemetry: Telemetry,
    *,
    band: Band,
    limits: Limits,
    store_faults: Callable[[], Mapping[str, str]],
    certificates: Mapping[str, Path],
) -> tuple[Judge, EnergyBook]:
    """What looks at everything, and what counts the energy it looks at."""

    def milestones() -> dict[str, Sequence[Milestone]]:
        return {site: one.milestones for site, one in indicators.milestones.all_current().items()}

    energy = EnergyBook(control, telemetry, lambda: meters_of(gateways.status()), limits)
    sources = Sources(
        gateways=gateways.status,
        milestones=milestones,
        metered=energy.metered,
        certificates=CertificateFiles(certificates).known,
        store_faults=store_faults,
    )
    reader = SnapshotReader(control, sources, earlier_days=limits.stalled_days)
    return Judge(reader, indicators.plans, indicators.points, band, limits), energy
