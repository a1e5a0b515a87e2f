"""The pytest fixture `plumbline_site`: a whole site for a test, in five lines; docs/testing_your_site.md tells more."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

if TYPE_CHECKING:  # all that is heavy is loaded by the fixture: most tests of a suite never ask for it
    from plumbline_sim.teststand.site import Site
    from plumbline_sim.teststand.wishes import PerMeter

_SITES: Final = pytest.StashKey[list[Any]]()
_FAILED: Final = pytest.StashKey[bool]()


class RaiseSite(Protocol):
    """What the fixture gives: call it with what the site shall be, and get it running."""

    def __call__(
        self,
        meters: Mapping[str, str] | None = None,
        *,
        trace: PerMeter = None,
        map: PerMeter = None,  # noqa: A002 - as in `plumbline sim meter --map`
        role: PerMeter = None,
        tape: PerMeter = None,
        units: Mapping[str, int] | None = None,
        cameras: Mapping[str, str] | None = None,
        speed: float = 600.0,
        every_s: float | None = None,
        timeout_s: float = 3.0,
        seed: int = 1,
        start: datetime | None = None,
        timezone: str = "Asia/Shanghai",
    ) -> Site:
        """A running site. Meters play a site's load (`role`), a CSV (`trace` and `map`) or a recorded bus (`tape`).

        `speed`: simulated seconds in a real one. `every_s`: simulated seconds between polls; five polls a real second
        where left out. `timeout_s`: real seconds that the gateway waits for a meter. `cameras`: name to `new` or `reno`.
        Files (a profile of one's own, traces, maps, tapes) lie beside the test's file, or in the folder pytest runs in.
        """
        ...


@pytest.fixture
def plumbline_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RaiseSite]:
    """Simulated meters, a real gateway, broker and central on free ports, in simulated time; all end with the test."""
    from plumbline.errors import PlumblineError  # noqa: PLC0415
    from plumbline_sim.teststand.site import Site  # noqa: PLC0415
    from plumbline_sim.teststand.wishes import wish  # noqa: PLC0415

    sites: list[Site] = []
    request.node.stash[_SITES] = sites

    def raise_site(
        meters: Mapping[str, str] | None = None, *, trace: PerMeter = None, map: PerMeter = None, role: PerMeter = None,  # noqa: A002
        tape: PerMeter = None, units: Mapping[str, int] | None = None, cameras: Mapping[str, str] | None = None,
        speed: float = 600.0, every_s: float | None = None, timeout_s: float = 3.0, seed: int = 1,
        start: datetime | None = None, timezone: str = "Asia/Shanghai",
    ) -> Site:  # fmt: skip
        folder = tmp_path / f"plumbline-{len(sites) + 1}"
        folder.mkdir()
        try:
            wanted = wish(
                meters or {}, trace=trace, map=map, role=role, tape=tape, units=units or {}, cameras=cameras or {},
                speed=speed, every_s=every_s, timeout_s=timeout_s, seed=seed, start=start, timezone=timezone, folder=request.path.parent,
            )  # fmt: skip
            site = Site(wanted, folder)
            sites.append(site)
            return site.open()
        except PlumblineError as error:
            pytest.fail("\n→ ".join(filter(None, (str(error), error.hint))), pytrace=False)

    try:
        yield raise_site
    finally:
        for site in reversed(sites):
            site.close()
        if not request.node.stash.get(_FAILED, False):
            for site in sites:
                shutil.rmtree(site.folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],  # noqa: ARG001 - pytest's signature
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Name the folder of a failed test's site, with the end of its logs, in the test's report."""
    report = yield
    if report.failed and (sites := item.stash.get(_SITES, None)):
        item.stash[_FAILED] = True
        if report.when == "call":
            report.sections += [("plumbline site", site.last_words()) for site in sites]
    return report
