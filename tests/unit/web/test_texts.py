import re
from importlib.resources import files
from string import Formatter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.messages import DeviceHealth, EventCode
from plumbline.metrics import METRICS, Flaw
from plumbline_central.alerts.alert import Rule, What
from plumbline_central.alerts.states import Shown
from plumbline_central.deviation import Severity
from plumbline_central.web.summary import WORST_FIRST
from plumbline_central.web.texts import LANGUAGES, pick_language, texts
from plumbline_edge.camera.reasons import REASONS

WEB = files("plumbline_central.web")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in (WEB, WEB.joinpath("templates"), WEB.joinpath("templates/parts"))
    for path in folder.iterdir()
    if path.name.endswith((".html", ".py"))
)


def names_in(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys():
    assert set(texts("zh").entries) == set(texts("en").entries)


@pytest.mark.parametrize("key", sorted(texts("zh").entries))
def test_a_text_asks_for_the_same_names_in_both_languages(key):
    chinese, english = texts("zh").entries[key], texts("en").entries[key]

    assert names_in(chinese) == names_in(english)
    assert chinese
    assert english


def test_every_key_that_the_page_names_is_there():
    named = set(re.findall(r"""(?:\bt|texts)\(\s*f?"([a-z_]+\.[a-zA-Z0-9_]+)"\s*[,)]""", SOURCES))

    assert len(named) > 100
    assert named <= set(texts("zh").entries)


def test_no_text_is_left_that_nobody_says():
    by_name = {
        "metric",
        "flaw",
        "gate",
        "event",
        "device",
        "alert_state",
        "severity",
        "step",
        "rule",
        "state",
        "error",
        "meter",
        "gateway",
        "age",
        "span",
    }
    unsaid = {
        key
        for key in texts("zh").entries
        if key.partition(".")[0] not in by_name and f'"{key}"' not in SOURCES
    }

    assert {
        "hero.behind",
        "hero.ahead",
        "hero.todo_behind",
        "hero.todo_ahead",
        "hero.watch_behind",
        "hero.watch_ahead",
        "alert.deviation_behind",
        "alert.deviation_ahead",
    } == unsaid


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("metric", [metric.name for metric in METRICS]),
        ("flaw", [flaw.name for flaw in Flaw]),
        ("gate", [*REASONS, "clock", "camera_name", "percent"]),
        ("event", [code.value for code in EventCode]),
        (
            "device",
            get_args(DeviceHealth.__annotations__["status"]) or ["ok", "degraded", "silent", "unknown"],
        ),
        ("alert_state", [state.value for state in Shown]),
        ("severity", get_args(Severity)),
        ("step", [what for what in (*get_args(What), "comment") if what != "reminder"]),
        ("rule", get_args(Rule)),
        ("state", WORST_FIRST),
    ],
)
def test_every_name_from_outside_has_its_words(group, names):
    assert names
    assert {f"{group}.{name}" for name in names} <= set(texts("zh").entries)


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "got"),
    [
        (None, None, None, "zh"),
        ("en", "zh", "zh-CN", "en"),
        ("fr", "en", "zh-CN", "en"),
        (None, None, "en-GB,en;q=0.9", "en"),
        (None, None, "de-DE,zh-TW;q=0.7,en;q=0.8", "en"),
        (None, None, "en;q=0,zh", "zh"),
        (None, None, "de, fr;q=0.5", "zh"),
    ],
)
def test_the_address_then_the_cookie_then_the_browser_decides(asked, remembered, accepted, got):
    assert got == pick_language(asked, remembered, accepted, "zh")


@given(st.text(), st.text(), st.text())
def test_any_header_gives_a_language_of_ours(asked, remembered, accepted):
    assert pick_language(asked, remembered, accepted, "zh") in LANGUAGES
