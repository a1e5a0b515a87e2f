import pytest
from meter_mistakes import MIDNIGHT_S, Reader, load

from plumbline_edge.meters.doubts.selfcheck import SelfCheck
from plumbline_edge.meters.profiles.file import find_profile

FAMILIES = (
    "eastron_sdm630", "abb_b23", "carlo_gavazzi_em340", "chint_dtsu666", "schneider_iem3155", "eastron_sdm120",
)  # fmt: skip
EVERY_S = dict(zip(FAMILIES, (10, 15, 60, 30, 20, 45), strict=True))
ROLES = ("main", "crane", "hoist", "cabins")


def watched(family, role, *, count, every_s, seed=1):
    """What a gateway says against a right meter: (polls, flaws, events, what was suspected at the end)."""
    reader = Reader(find_profile(family))
    check = SelfCheck(f"{family} {role}", reader.seen, reader.decoder)
    source = load(role, seed)
    flaws, events = [], []
    for i in range(count):
        at_s = MIDNIGHT_S + 6 * 3600 + i * every_s
        poll = reader.poll(at_s, source.at(at_s), wide=i % 100 < 5)
        judged = check.polled(at_s, poll.values, (), poll.blocks)
        flaws += judged.flaws
        events += judged.events
    return count, flaws, events, [s for s in check.suspected if s.kind != "no load"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("family", "every_s"), list(EVERY_S.items()))
def test_there_is_not_one_doubt_of_a_right_meter(family, role, every_s):
    """24 runs of 200 polls here; 120,000 polls of it (`python tests/unit/meters/test_quiet.py`) gave none either."""
    count, flaws, events, suspected = watched(family, role, count=200, every_s=every_s)

    assert count == 200
    assert flaws == []
    assert events == []
    assert suspected == []


if __name__ == "__main__":
    polls = doubted = 0
    for family, every_s in EVERY_S.items():
        for role in ROLES:
            count, flaws, events, suspected = watched(family, role, count=5_000, every_s=every_s, seed=7)
            polls += count
            doubted += len(flaws) + len(events) + len(suspected)
            if flaws or events or suspected:
                print(family, role, flaws[:3], events, suspected)
    print(f"{polls} polls, {doubted} doubts")
