"""The life of an alert after ISA-18.2: is the condition there, and has a person seen it."""

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


class Action(StrEnum):
    """What can happen to an alert: the condition comes and goes, people acknowledge and close."""

    RAISE = "raise"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"


TRANSITIONS: Final[dict[tuple[State, Action], State]] = {
    (State.NORMAL, Action.RAISE): State.UNACKNOWLEDGED,
    (State.UNACKNOWLEDGED, Action.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.UNACKNOWLEDGED, Action.RETURN): State.RETURNED_UNACKNOWLEDGED,
    (State.ACKNOWLEDGED, Action.RETURN): State.NORMAL,
    (State.RETURNED_UNACKNOWLEDGED, Action.RAISE): State.UNACKNOWLEDGED,
    (State.RETURNED_UNACKNOWLEDGED, Action.ACKNOWLEDGE): State.NORMAL,
    (State.RETURNED_UNACKNOWLEDGED, Action.CLOSE): State.NORMAL,
}

_HINTS: Final[dict[tuple[State, Action], str]] = {
    (State.UNACKNOWLEDGED, Action.CLOSE): "Acknowledge it; it closes itself when the condition is gone.",
    (State.ACKNOWLEDGED, Action.CLOSE): "It closes itself when the condition is gone.",
    (State.ACKNOWLEDGED, Action.ACKNOWLEDGE): "Someone was quicker; add a comment instead.",
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
