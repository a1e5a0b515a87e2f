"""Who is told of alerts: every mistake in the file is said, and a good file becomes channels and routes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from plumbline.clock import ManualClock
from plumbline.errors import ConfigError, FaultyFile
from plumbline_central.channels.built import outlets
from plumbline_central.config import load_central

GOOD = """
data_dir = "data"
[http]
public_url = "https://plumbline.example"
[[webhooks]]
name = "erp"
url = "https://erp.example/hook"
secret_file = "secret"
[[alertmanagers]]
name = "main"
url = "http://127.0.0.1:9093"
repeat_s = 30
[[chats]]
name = "site"
kind = "dingtalk"
url_file = "url"
secret_file = "secret"
[[chats]]
name = "team"
kind = "apprise"
url_file = "apprise"
language = "en"
[[mails]]
name = "office"
host = "mail.example"
sender = "p@example.org"
receivers = ["li@example.org"]
"""
ROUTES = """
[[routes]]
channels = ["chat:site"]
hours = "07:30-19:00"
weekdays = ["mon", "tue", "wed", "thu", "fri"]
[[routes]]
channels = ["mail:office"]
severities = ["red"]
"""


@pytest.fixture
def load(tmp_path):
    (tmp_path / "secret").write_text("sixteen bytes or more\n", encoding="utf-8")
    (tmp_path / "url").write_text("https://oapi.example/robot/send?access_token=x\n", encoding="utf-8")
    (tmp_path / "apprise").write_text("json://127.0.0.1:9\n", encoding="utf-8")

    def loaded(text):
        path = tmp_path / "central.toml"
        path.write_text(text, encoding="utf-8")
        return load_central(path)

    return loaded


def built(settings):
    async def publish(*_, **__):
        raise AssertionError

    return outlets(
        settings, publish, ManualClock(datetime(2026, 3, 3, tzinfo=UTC)), lambda site, _language: site
    )


def test_every_receiver_becomes_a_channel_and_programs_hear_of_everything(load):
    made = built(load(GOOD))

    assert [channel.name for channel in made.channels] == [
        "mqtt", "webhook:erp", "alertmanager:main", "chat:site", "chat:team", "mail:office",
    ]  # fmt: skip
    assert made.router.always == ("mqtt", "webhook:erp", "alertmanager:main")
    assert made.repeating == {"alertmanager:main": 30}


def test_without_routes_people_hear_of_all_that_is_for_people(load):
    (only,) = built(load(GOOD)).router.routes

    assert only.channels == ("chat:site", "chat:team", "mail:office")


def test_routes_choose_among_people(load):
    day, grave = built(load(GOOD + ROUTES)).router.routes

    assert day.hours is not None
    assert day.hours.weekdays == frozenset(range(5))
    assert (grave.channels, grave.severities) == (("mail:office",), ("red",))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[[routes]]\nchannels = ["chat:nobody"]', "routes.0.channels"),
        ('[[routes]]\nchannels = ["mail:office"]\nhours = "7-19"', "routes.0.hours"),
        ('[[routes]]\nchannels = ["mail:office"]\nrules = ["late"]', "routes.0.rules.0"),
        ('[[alertmanagers]]\nname = "x"\nurl = "http://am.example"', "alertmanagers.x.url"),
        ('[[alertmanagers]]\nname = "x"\nurl = "https://am.example"\nuser = "u"', "alertmanagers.x.password_file"),
        ('[[mails]]\nname = "x"\nhost = "m.example"\nsender = "a"\nreceivers = ["b"]\nsecurity = "none"', "mails.x.security"),
        ('[[mails]]\nname = "x"\nhost = "m.example"\nsender = "a"\nreceivers = []', "mails.x.receivers"),
        ('[[chats]]\nname = "site"\nkind = "wecom"\nurl_file = "url"', "chats.site.name"),
        ('[[chats]]\nname = "x"\nkind = "wecom"\nurl_file = "nothing"', "chats.x.url_file"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_by_its_key(load, text, key):
    with pytest.raises(FaultyFile) as raised:
        load(GOOD + text)

    assert [fault.key for fault in raised.value.faults] == [key]


def test_a_secret_that_cannot_be_read_stops_the_start(load, tmp_path):
    settings = load(GOOD)
    (tmp_path / "url").unlink()

    with pytest.raises(ConfigError, match="url"):
        built(settings)
