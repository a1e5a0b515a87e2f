"""The life of an alert after ISA-18.2: is the condition there, has a person seen it, and is anyone to hear of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from plumbline.errors import Refused


class State(StrEnum):
    """Named as ISA-18.2 names them; `NORMAL` ends an alert, the next one is a new entry in the book."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"


class Shown(StrEnum):
    """What people see: an open alert that nobody is to hear of is first of all that."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


class Action(StrEnum):
    """What can happen to an alert: the condition comes and goes, people acknowledge, rectify and close.

    `REOPEN` is ours: somebody said that the cause was put right, and the condition stayed.
    """

    RAISE = "raise"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    RECTIFY = "rectify"
    REOPEN = "reopen"
    CLOSE = "close"


PRESENT: Final = frozenset((State.UNACKNOWLEDGED, State.ACKNOWLEDGED))
"""The condition is there."""


TRANSITIONS: Final[dict[tuple[State, Action], State]] = {
    (State.NORMAL, Action.RAISE): State.UNACKNOWLEDGED,
    (State.UNACKNOWLEDGED, Action.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.UNACKNOWLEDGED, Action.RETURN): State.RETURNED_UNACKNOWLEDGED,
    (State.UNACKNOWLEDGED, Action.RECTIFY): State.ACKNOWLEDGED,
    (State.ACKNOWLEDGED, Action.RETURN): State.NORMAL,
    (State.ACKNOWLEDGED, Action.RECTIFY): State.ACKNOWLEDGED,
    (State.ACKNOWLEDGED, Action.REOPEN): State.UNACKNOWLEDGED,
    (State.RETURNED_UNACKNOWLEDGED, Action.RAISE): State.UNACKNOWLEDGED,
    (State.RETURNED_UNACKNOWLEDGED, Action.ACKNOWLEDGE): State.NORMAL,
    (State.RETURNED_UNACKNOWLEDGED, Action.CLOSE): State.NORMAL,
}

_HINTS: Final[dict[tuple[State, Action], str]] = {
    (State.UNACKNOWLEDGED, Action.CLOSE): "Acknowledge it; it closes itself when the condition is gone.",
    (State.ACKNOWLEDGED, Action.CLOSE): "It closes itself when the condition is gone.",
    (State.ACKNOWLEDGED, Action.ACKNOWLEDGE): "Someone was quicker; add a comment instead.",
    (State.RETURNED_UNACKNOWLEDGED, Action.RECTIFY): "The condition is gone already; acknowledge it.",
    (State.NORMAL, Action.RECTIFY): "It is closed; there is nothing left to put right.",
    (State.NORMAL, Action.ACKNOWLEDGE): "It is closed; there is nothing left to acknowledge.",
    (State.NORMAL, Action.CLOSE): "It is closed already.",
}


def after(state: State, action: Action) -> State:
    """The state that follows. Raises Refused, with what to do instead, where the table has none."""
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        raise Refused(
            f"an alert that is {state.replace('_', ', ')} cannot take {action.value!r}",
            hint=_HINTS.get((state, action), ""),
        ) from None


def shown(state: State, *, out_of_service: bool, shelved: bool, suppressed: bool) -> Shown:
    """What people see. Out of service outweighs shelved, and what a person said outweighs what we found."""
    if state == State.NORMAL:
        return Shown.NORMAL
    if out_of_service:
        return Shown.OUT_OF_SERVICE
    if shelved:
        return Shown.SHELVED
    return Shown.SUPPRESSED if suppressed else Shown(state)
