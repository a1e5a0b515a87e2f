"""What must be done by when, and by whom: milestones, and the table they come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from plumbline.errors import Fault, FaultyFile
from plumbline.topics import NAME, is_name
from plumbline_central.indicators.cells import (
    DATE_EXPECTED,
    TOO_WIDE,
    Columns,
    date_of,
    find_columns,
    number_of,
    row_fault,
)
from plumbline_central.indicators.sheet import Cell, Sheet, read_sheet
from plumbline_central.plan import SHANGHAI

HEADERS: Final[Mapping[str, frozenset[str]]] = {
    "id": frozenset(("编号", "里程碑编号", "节点编号")),
    "name_zh": frozenset(("name", "名称", "里程碑", "节点", "节点名称", "中文名称")),
    "name_en": frozenset(("英文名称",)),
    "due": frozenset(("date", "截止日期", "计划日期", "计划完成日期", "日期")),
    "done": frozenset(("完成日期", "实际完成日期", "实际日期")),
    "owner": frozenset(("责任人", "负责人")),
    "weight": frozenset(("权重", "比重")),
}
MOST: Final = 500
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Something that is done on a day or not; `weight` is its share of the works where a plan is drawn through it."""

    id: str
    name_zh: str
    name_en: str
    due: datetime
    done: datetime | None = None
    owner: str = ""
    weight: float = 1.0

    def is_overdue(self, now: datetime) -> bool:
        """`due` is the end of its day: what is due today is not overdue."""
        return self.done is None and now >= self.due


def read_milestones(content: bytes, file: str, tz: tzinfo = SHANGHAI) -> tuple[Milestone, ...]:
    """By due date. A date means its whole day: a milestone is due when that day ends in `tz`.

    Raises FaultyFile with every bad row, ConfigError for what is no table.
    """
    sheet = read_sheet(content, file)
    columns = find_columns(
        sheet, HEADERS, ("id", "name_zh", "due"), "the header id,name,due (or 编号,名称,计划完成日期)"
    )
    faults: list[Fault] = []
    found: list[Milestone] = []
    seen: dict[str, int] = {}
    for number, row in columns.rows:
        if (wide := columns.too_wide(row)) is not None:
            faults.append(row_fault(sheet, number, wide, TOO_WIDE))
            continue
        wrong, milestone = _read(sheet, columns, row, tz)
        if (first := seen.setdefault(columns.text(row, "id"), number)) != number:
            wrong.append((columns.text(row, "id"), f"each id once; it stands in row {first} already"))
        faults += [row_fault(sheet, number, cell, expected) for cell, expected in wrong]
        if milestone is not None and not wrong:
            found.append(milestone)
    if len(found) > MOST:
        faults.append(Fault(file=file, key="rows", value=len(found), expected=f"at most {MOST} milestones"))
    if not found and not faults:
        faults.append(Fault(file=file, key="rows", value=0, expected="at least one row below the header"))
    if faults:
        raise FaultyFile(faults)
    return in_order(found)


def in_order(milestones: Sequence[Milestone]) -> tuple[Milestone, ...]:
    return tuple(sorted(milestones, key=lambda one: (one.due, one.id)))


def _read(
    sheet: Sheet, columns: Columns, row: tuple[Cell, ...], tz: tzinfo
) -> tuple[list[tuple[Cell, str]], Milestone | None]:
    id_, zh, owner = (columns.text(row, name) for name in ("id", "name_zh", "owner"))
    due_cell, done_cell, weight_cell = (columns.cell(row, name) for name in ("due", "done", "weight"))
    due, done = date_of(due_cell, tz, sheet.epoch), date_of(done_cell, tz, sheet.epoch)
    weight = number_of(weight_cell, percent=True) if weight_cell != "" else 1.0
    wrong: list[tuple[Cell, str]] = []
    if not is_name(id_):
        wrong.append((id_, f"an id like {NAME}"))
    en = columns.text(row, "name_en") or zh
    if not zh or any(len(text) > _LONGEST or not text.isprintable() for text in (zh, en, owner)):
        wrong.append((zh, f"names, and an owner, in one line of at most {_LONGEST} characters"))
    if due is None:
        wrong.append((due_cell, DATE_EXPECTED))
    if done is None and done_cell != "":
        wrong.append((done_cell, f"{DATE_EXPECTED}, or nothing while it is not done"))
    if weight is None or not 0 <= weight <= 1e6:
        wrong.append((weight_cell, "a weight from 0 on"))
    if due is None or weight is None:
        return wrong, None
    return wrong, Milestone(
        id=id_,
        name_zh=zh,
        name_en=en,
        due=end_of_day(due),
        done=done,
        owner=owner,
        weight=weight,
    )


def end_of_day(at: datetime) -> datetime:
    """Where only a date was given, its midnight stands for the whole day."""
    return at + timedelta(days=1) if (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0) else at
