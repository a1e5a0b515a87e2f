from datetime import UTC, datetime, timedelta

import pytest

from plumbline.errors import FaultyFile, Refused
from plumbline_central.indicators.milestones import read_milestones
from plumbline_central.indicators.store import NoSuch

from .conftest import SITE, START, day

TABLE = "编号,名称,计划完成日期,责任人,权重\nroof,屋面完工,2026-05-31,王强,30\nscaffold,脚手架搭设完成,2026-03-31,李伟,10\n"


def test_a_milestone_is_overdue_when_its_day_is_over():
    first, second = read_milestones(TABLE.encode("gbk"), "m.csv")

    assert (first.id, second.id, first.owner, second.weight) == ("scaffold", "roof", "李伟", 30.0)
    assert first.due == datetime(2026, 3, 31, 16, tzinfo=UTC)
    assert not first.is_overdue(first.due - timedelta(seconds=1))
    assert first.is_overdue(first.due)


def test_every_bad_row_is_told_and_nothing_is_taken():
    bad = TABLE + "roof,再来,2026-06-01,,1\nBad Id,名,2026-06-01,,1\nx,,soon,,much\n"

    with pytest.raises(FaultyFile) as caught:
        read_milestones(bad.encode(), "m.csv")
    assert [fault.key for fault in caught.value.faults] == ["row 4", "row 5", "row 6", "row 6", "row 6"]


def test_versions_are_kept_and_what_is_done_stays_done(measured):
    store = measured.book.milestones
    milestones = read_milestones(TABLE.encode(), "m.csv")
    assert store.put(SITE, milestones, "m.csv", "li", START) == 1
    assert store.put(SITE, milestones, "m.csv", "li", START) == 1
    assert store.mark(SITE, "scaffold", day(20), "wang", day(21)) == 2
    assert store.mark(SITE, "scaffold", day(20), "wang", day(21)) == 2
    assert store.put(SITE, milestones[:1], "m2.csv", "li", day(22)) == 3

    current = store.current(SITE)
    assert [(one.id, one.done) for one in current.milestones] == [("scaffold", day(20))]
    assert not current.milestones[0].is_overdue(day(300))
    assert [(one.version, one.source, one.imported_by) for one in store.versions(SITE)] == [
        (1, "m.csv", "li"), (2, "scaffold done", "wang"), (3, "m2.csv", "li"),
    ]  # fmt: skip
    assert {site: one.version for site, one in store.all_current().items()} == {SITE: 3}


def test_what_cannot_be_done_is_refused(measured):
    store = measured.book.milestones
    store.put(SITE, read_milestones(TABLE.encode(), "m.csv"), "m.csv", "li", START)

    with pytest.raises(NoSuch, match="no milestone 'rof'"):
        store.mark(SITE, "rof", day(1), "li", day(2))
    with pytest.raises(Refused, match="in the future"):
        store.mark(SITE, "roof", day(3), "li", day(2))


def test_a_milestone_is_not_imported_as_done_in_the_future(measured):
    table = "id,name,due,done\nroof,屋面完工,2026-05-31,2098-01-01\n"

    with pytest.raises(Refused):
        measured.book.milestones.put(SITE, read_milestones(table.encode(), "m.csv"), "m.csv", "li", day(21))
    assert measured.book.milestones.current(SITE) is None


def test_a_milestone_name_is_one_line():
    table = 'id,name,due,owner\nroof,"屋面\n【恢复】",2026-05-31,\nwall,墙,2026-05-31,"李\x1b[0m"\n'

    with pytest.raises(FaultyFile) as caught:
        read_milestones(table.encode(), "m.csv")
    assert len(caught.value.faults) == 2
