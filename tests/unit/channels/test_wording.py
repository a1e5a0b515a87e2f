"""What people read: the numbers, what to do, where to look."""

from __future__ import annotations

import string
import tomllib
from datetime import timedelta
from importlib.resources import files
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from plumbline_central.alerts.alert import Rule, What
from plumbline_central.channels.wording import LANGUAGES, Message, Wording
from plumbline_edge.camera.reasons import REASONS

PAGE = "https://plumbline.example"
FACTS = {
    "value": 80.0, "plan": 100.0, "unit": "t", "off_percent": -20.0, "zones": 3.0, "most_pp": 12.0, "days": 9.0,
    "moved_pp": 0.4, "due": "2026-03-01", "milestone": "roof", "start": "22:00", "until": "06:00", "energy_kwh": 60.0,
    "usual_kwh": 8.0, "last_seen": "03-02 22:10", "device": "meter-1", "errors": 12.0, "kind": "timeout",
    "photos": 4.0, "reason": "BLUR", "shift_px": 40.0, "off_s": 86.0, "used_percent": 91.0, "days_left": 3.0,
    "expires": "2026-04-01", "why": "401 unauthorized",
}  # fmt: skip


def wording(language="zh", page=PAGE):
    return Wording(
        language, ZoneInfo("Asia/Shanghai"), site_name=lambda site, lang: f"{site}-{lang}", page=page
    )


def catalog(language):
    text = (
        files("plumbline_central.channels").joinpath(f"wording_{language}.toml").read_text(encoding="utf-8")
    )
    return tomllib.loads(text)


def leaves(table, path=()):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        elif isinstance(value, list):
            yield from (((*path, name, str(i)), one) for i, one in enumerate(value))
        else:
            yield (*path, name), value


def names(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_things_with_the_same_numbers():
    zh, en = ({path: names(text) for path, text in leaves(catalog(language))} for language in LANGUAGES)

    assert zh == en


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_and_step_has_its_words(language):
    words = catalog(language)

    assert set(words["rule"]) == set(get_args(Rule))
    assert set(words["step"]) == set(get_args(What))
    assert all(not names(rule["says"][-1]) for rule in words["rule"].values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", get_args(Rule))
def test_a_rule_says_its_numbers_where_they_are_known_and_a_plain_sentence_where_not(notice, language, rule):
    says = catalog(language)["rule"][rule]["says"]
    known = wording(language).one(notice(rule=rule, facts=FACTS, gateway="gw-1"))
    unknown = wording(language).one(notice(rule=rule, evidence=(), deviation_pp=None))

    assert "{" not in known.title + known.text + unknown.title + unknown.text
    if rule != "no_data":
        assert says[-1] != known.text.splitlines()[0]
    assert says[-1] in unknown.text


def test_a_deviation_tells_numbers_what_to_do_and_the_photo(notice):
    said = wording("en").one(notice())

    assert said.title == "[ALERT] school-en: off plan (attention)"
    assert (
        "Done 42 % (90 % sure: 41–43.5 %), planned then 50 %: 8 points behind; photo of 03-03 13:10."
        in said.text
    )
    assert f"{PAGE}/api/v1/sites/school/photos/p1.jpg" in said.text
    assert said.text.endswith(f"{PAGE}/sites/school#alert-7")


def test_without_a_page_nothing_links_to_one(notice):
    said = wording("en", page="").one(notice())

    assert "http" not in said.text
    assert said.link == ""


def test_a_digest_names_each_alert_once_as_it_stands_now_the_gravest_first(notice):
    calm, grave = notice("raised", number=1), notice("raised", number=2, severity="red", site="hall")
    back = notice("returned", number=1, at=calm.at + timedelta(hours=1))
    said = wording("en").digest([calm, grave, back])
    lines = said.text.splitlines()

    assert said.title == "2 alerts changed, 2 are open"
    assert lines == ["- [ALERT] hall-en: off plan (grave)", "- [BACK] school-en: off plan (attention)", PAGE]


def test_a_long_digest_says_how_many_more_there_are(notice):
    said = wording("en").digest([notice(number=n) for n in range(40)])

    assert "and 25 more" in said.text


@pytest.mark.parametrize("almost_nothing", [-0.0, -0.04])
def test_almost_nothing_has_no_sign(notice, almost_nothing):
    said = wording("en").one(notice(actual=almost_nothing))

    assert "Done 0 %" in said.text


def test_a_message_too_long_keeps_whole_lines_and_its_link():
    message = Message(title="t", text="\n".join(["长" * 20] * 50 + [PAGE]), link=PAGE)
    short = message.within(500)

    assert len(short.text.encode()) <= 500
    assert short.text.splitlines()[0] == "长" * 20
    assert short.text.endswith(PAGE)
    assert message.within(100_000) is message


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_others_wrote_is_neither_a_line_nor_markup(notice, language):
    nasty = '<at user_id="all">x</at>\n[open](http://evil.example) `x` *x*' + "y" * 5_000
    made = notice(
        rule="camera_blind", facts={"photos": 3.0, "reason": nasty}, assigned_to=nasty, gateway=nasty
    )
    message = Wording(language, ZoneInfo("Asia/Shanghai"), site_name=lambda *_: nasty).one(made)

    assert "\n" not in message.title
    assert not set("<>[]`*") & set(message.title.removeprefix("[ALERT]") + message.text)
    assert len(message.text.splitlines()) == 4
    assert len(message.text) < 2_000


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", [*REASONS, "HTTP_404"])
def test_why_a_photo_was_refused_is_said_in_words(notice, language, code):
    made = notice(rule="camera_blind", facts={"photos": 3.0, "reason": code})

    assert code not in wording(language).one(made).text


def test_a_reason_that_a_newer_gateway_gives_is_said_as_it_came(notice):
    made = notice(rule="camera_blind", facts={"photos": 3.0, "reason": "EARTHQUAKE"})

    assert "EARTHQUAKE" in wording().one(made).text
