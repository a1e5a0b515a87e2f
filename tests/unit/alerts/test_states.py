from itertools import accumulate, product
from pathlib import Path

import pytest

from plumbline.errors import Refused
from plumbline_central.alerts.states import PRESENT, TRANSITIONS, Action, Shown, State, after, shown


@pytest.mark.parametrize(("state", "action"), list(product(State, Action)))
def test_each_pair_is_in_the_table_or_refused_with_a_reason(state, action):
    if (state, action) in TRANSITIONS:
        assert after(state, action) == TRANSITIONS[state, action]
    else:
        with pytest.raises(Refused, match=action.value):
            after(state, action)


@pytest.mark.parametrize("state", [State.UNACKNOWLEDGED, State.ACKNOWLEDGED])
def test_no_person_ends_an_alert_whose_condition_lasts(state):
    with pytest.raises(Refused) as refused:
        after(state, Action.CLOSE)

    assert "when the condition is gone" in refused.value.hint


@pytest.mark.parametrize(
    "way",
    [
        (Action.RAISE, Action.ACKNOWLEDGE, Action.RETURN),
        (Action.RAISE, Action.RETURN, Action.ACKNOWLEDGE),
        (Action.RAISE, Action.RETURN, Action.CLOSE),
        (Action.RAISE, Action.RETURN, Action.RAISE, Action.ACKNOWLEDGE, Action.RETURN),
    ],
)
def test_an_alert_ends_once_it_was_seen_and_its_condition_is_gone(way):
    states = list(accumulate(way, after, initial=State.NORMAL))

    assert states[-1] == State.NORMAL
    assert State.NORMAL not in states[1:-1]


def test_who_says_that_the_cause_is_put_right_has_seen_it_and_the_condition_has_the_last_word():
    way = (Action.RAISE, Action.RECTIFY, Action.REOPEN, Action.ACKNOWLEDGE, Action.RECTIFY, Action.RETURN)
    states = list(accumulate(way, after, initial=State.NORMAL))

    assert [state in PRESENT for state in states] == [False, True, True, True, True, True, False]
    assert states[2:4] == [State.ACKNOWLEDGED, State.UNACKNOWLEDGED]


@pytest.mark.parametrize(
    ("state", "out", "shelved", "suppressed"), list(product(State, *[(False, True)] * 3))
)
def test_people_see_one_state_and_an_alert_at_rest_is_never_withheld(state, out, shelved, suppressed):
    seen = shown(state, out_of_service=out, shelved=shelved, suppressed=suppressed)

    if state == State.NORMAL or not (out or shelved or suppressed):
        assert seen == state
    else:
        weighty = {"out_of_service": out, "shelved": shelved, "suppressed": suppressed}
        assert seen == Shown(next(name for name, on in weighty.items() if on))


def test_the_documented_table_is_the_one_in_the_code():
    text = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith(("| state", *(f"| {state} " for state in State)))
    ]
    documented = {
        (State(row[0]), Action(action)): State(cell)
        for row in rows[1:]
        for action, cell in zip(rows[0][1:], row[1:], strict=True)
        if cell != "–"
    }

    assert documented == TRANSITIONS
