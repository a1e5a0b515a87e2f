from datetime import timedelta

import pytest

from plumbline.errors import ConfigError, FaultyFile
from plumbline_central.alerts.escalation import LADDERS, Handling
from plumbline_central.config import load_central


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "central.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_a_short_file_is_enough_and_its_paths_are_its_own(write, tmp_path):
    settings = load_central(write('data_dir = "data"\n'))

    assert settings.data_dir == str(tmp_path / "data")
    assert (settings.broker.host, settings.broker.port, settings.broker.version) == ("127.0.0.1", 1883, "5")
    assert settings.webhooks == ()


def test_the_limits_of_the_rules_are_set_in_a_table_of_their_own(write):
    rules = load_central(
        write(
            'data_dir = "data"\n[rules]\nstalled_days = 21\n[[rules.site_hours]]\nname = "a12"\nuntil_h = 19\n'
        )
    ).rules

    assert (rules.stalled_days, rules.gateway_silent_s) == (21, 900.0)
    assert (rules.hours_of("a12").until_h, rules.hours_of("b7").until_h) == (19, 22)


def test_limits_that_make_no_sense_are_all_said(write):
    path = write(
        'data_dir = "data"\n[rules]\nstaled_days = 21\ncamera_photos = 1\n'
        '[rules.working_hours]\nfrom_h = 22\nuntil_h = 6\n[[rules.site_hours]]\nname = "a12"\nweekdays = [0]\n'
    )
    with pytest.raises(FaultyFile) as raised:
        load_central(path)

    assert {fault.key for fault in raised.value.faults} >= {
        "rules.staled_days",
        "rules.camera_photos",
        "rules.working_hours.until_h",
    }
    assert len(raised.value.faults) == 4


def test_five_mistakes_are_five_lines_with_file_key_value_and_expectation(write):
    path = write(
        """
        data_dir = "nowhere/data"
        [broker]
        host = "mqtt.example.org"
        port = 70000
        [http]
        hots = "127.0.0.1"
        [[webhooks]]
        name = "Site Office"
        url = "https://example.org/hook"
        secret_file = "central.toml"
        """
    )

    with pytest.raises(FaultyFile) as raised:
        load_central(path)

    lines = str(raised.value).splitlines()
    assert len(lines) == 5
    assert all(line.startswith(f"{path}: ") for line in lines)
    said = {fault.key: (fault.value, fault.expected) for fault in raised.value.faults}
    assert said["broker.port"] == (70000, "1-65535")
    assert said["http.hots"] == ("127.0.0.1", "no such key; did you mean 'host'?")
    assert said["broker.ca_file"] == (None, "a CA file, since mqtt.example.org is not this machine")
    assert said["webhooks.Site Office.name"][0] == "Site Office"
    assert said["data_dir"][0] == "nowhere/data"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[http]\nhost = "0.0.0.0"', "http.tls_cert_file"),
        ('[http]\ntls_cert_file = "central.toml"', "http.tls_key_file"),
        ('[broker]\nkey_file = "central.toml"', "broker.cert_file"),
        ('[broker]\npassword_file = "gone"', "broker.password_file"),
        (
            '[[webhooks]]\nname = "a"\nurl = "http://example.org/x"\nsecret_file = "central.toml"',
            "webhooks.a.url",
        ),
        (
            '[[webhooks]]\nname = "a"\nurl = "https://u:p@example.org/x"\nsecret_file = "central.toml"',
            "webhooks.a.url",
        ),
        ('[[webhooks]]\nname = "a"\nurl = "https://x.org"\nsecret_file = "gone"', "webhooks.a.secret_file"),
        ('[[webhooks]]\nname = "a"\nsecret_file = "central.toml"', "webhooks.a.url"),
        ("[alerts]\nevaluate_every_s = 0", "alerts.evaluate_every_s"),
        ("[alerts]\nlongest_shelf_s = 2592001", "alerts.longest_shelf_s"),
        (
            "[alerts.escalation]\nred = [{ after_s = 60 }, { after_s = 60 }]",
            "alerts.escalation.red.1.after_s",
        ),
        (
            '[alerts.escalation]\namber = [{ after_s = 9, becomes = "black" }]',
            "alerts.escalation.amber.0.becomes",
        ),
        ('[broker]\nversion = "4"', "broker.version"),
        ('broker = "here"', "broker"),
    ],
)
def test_what_is_missing_or_dangerous_is_named_by_its_key(write, text, key):
    with pytest.raises(FaultyFile) as raised:
        load_central(
            write(f'data_dir = "data"\n{text}\n' if "broker =" not in text else f'{text}\ndata_dir = "data"')
        )

    assert [fault.key for fault in raised.value.faults] == [key]


def test_two_webhooks_of_one_name_are_a_fault(write):
    hook = '[[webhooks]]\nname = "a"\nurl = "http://127.0.0.1/x"\nsecret_file = "central.toml"\n'

    with pytest.raises(FaultyFile, match="used only once"):
        load_central(write('data_dir = "data"\n' + hook * 2))


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigError) as raised:
        load_central(tmp_path / "central.toml")

    assert "central init" in raised.value.hint


def test_a_file_that_is_not_toml_names_the_line(write):
    with pytest.raises(ConfigError, match="line 1"):
        load_central(write("data_dir =\n[broker]\n"))


def test_the_archive_has_an_age_and_a_folder_of_its_own(write, tmp_path):
    plain = load_central(write('data_dir = "data"\n'))
    told = load_central(write('data_dir = "data"\n[ledger]\narchive_after_s = 0\narchive_dir = "old"\n'))

    assert (plain.ledger.archive_after_s, plain.archive_dir) == (180 * 86_400, None)
    assert (told.ledger.archive_after_s, told.archive_dir) == (0, tmp_path / "old")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[ledger]\narchive_after_s = -1", "ledger.archive_after_s"),
        ('[ledger]\narchive_dir = "no/where"', "ledger.archive_dir"),
        ("[ledger]\narchive_after = 1", "ledger.archive_after"),
    ],
)
def test_an_archive_that_cannot_be_is_a_fault_of_the_file(write, text, key):
    with pytest.raises(FaultyFile) as raised:
        load_central(write(f'data_dir = "data"\n{text}\n'))

    assert [fault.key for fault in raised.value.faults] == [key]


def test_a_store_in_influxdb_needs_few_words_and_its_secret_stands_elsewhere(write, tmp_path):
    (tmp_path / "token").write_text("secret")
    settings = load_central(
        write('data_dir = "data"\n[store]\nkind = "influx2"\norg = "works"\ntoken_file = "token"\n')
    )

    assert (settings.store.scheme, settings.store.token_file) == ("token", str(tmp_path / "token"))
    assert settings.store.compressed is False
    assert load_central(write('data_dir = "data"\n')).store.kind == "sqlite"


STORE = '[store]\nkind = "influx1"\n'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[store]\nkind = "influx3"', "store.kind"),
        (STORE + 'url = "http://influx.example.org:8086"', "store.url"),
        (STORE + 'url = "https://me:secret@influx.example.org"', "store.url"),
        (STORE + 'password = "secret"', "store.password"),
        (STORE + 'user = "central"', "store.password_file"),
        (STORE + 'auth = "bearer"', "store.token_file"),
        (STORE + 'token_file = "nowhere"', "store.token_file"),
        ('[store]\nkind = "influx2"\ntoken_file = "central.toml"', "store.org"),
        ('[store]\nkind = "influx2"\norg = "works"', "store.token_file"),
        (STORE + "downsample = [{ after_days = 90, step_s = 7000 }]", "store.downsample"),
        (
            STORE + "downsample = [{ after_days = 90, step_s = 900 }, { after_days = 60, step_s = 3600 }]",
            "store.downsample",
        ),
        (
            STORE + "downsample = [{ after_days = 90, step_s = 900 }]\nretention_days = 90",
            "store.retention_days",
        ),
        (STORE + "retention_days = -1", "store.retention_days"),
    ],
)
def test_a_store_that_cannot_be_is_a_fault(write, text, key):
    with pytest.raises(FaultyFile) as raised:
        load_central(write(f'data_dir = "data"\n{text}\n'))

    assert [fault.key for fault in raised.value.faults] == [key]


def test_how_alerts_are_handled_is_as_documented_and_can_be_set(write):
    usual = load_central(write('data_dir = "data"\n')).alerts.handling
    assert usual == Handling()
    said = "rectified_within_s = 60\nlinger_s = 0\n[alerts.escalation]\nred = []\n"
    own = load_central(write(f'data_dir = "data"\n[alerts]\n{said}')).alerts.handling

    assert (own.rectified_within, own.linger) == (timedelta(minutes=1), timedelta(0))
    assert (own.ladders["red"], own.ladders["amber"]) == ((), LADDERS["amber"])
