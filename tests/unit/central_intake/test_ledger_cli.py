"""`plumbline central` status, gaps, archive, verify and rebuild, from the command line."""

import json

import pytest

from plumbline import cli, codec
from plumbline.messages import Gap
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.parts import Parts


@pytest.fixture
def folder(tmp_path, gateway):
    """A settings file with a data folder in which one gateway has stored, lost and declared something."""
    (tmp_path / "central.toml").write_text('data_dir = "data"\n', encoding="utf-8")
    parts = Parts.open(tmp_path / "data")
    parts.registry.add_site("a12", name_zh="甲", name_en="A")
    parts.registry.enroll("gw-1", "a12", gateway.key.public)
    gateway.frames(30)
    heads = gateway.heads["data"]
    gone = Gap(lane="data", first=11, last=15, why="size", prev=heads[10], head=heads[15], from_us=1_000_000)
    gateway.record(gone, lane="status")
    for lane, first, last in (("data", 1, 10), ("data", 16, 20), ("data", 26, 30), ("status", 1, 1)):
        payload = gateway.pack(first, last, lane=lane)
        parts.ledger.append([Arrival(received_us=1, payload=payload, batch=codec.open_batch(payload))])
    parts.close()
    return tmp_path


@pytest.fixture
def command(folder, capsys):
    def run(word, *options, code=0):
        capsys.readouterr()
        assert cli.run(["central", word, *map(str, options)]) == code
        return capsys.readouterr().out

    return run


def test_gaps_shows_what_was_declared_and_what_was_not(folder, command):
    said = command("gaps", folder / "central.toml")
    found = json.loads(command("gaps", folder / "central.toml", "--json"))

    assert [(gap["first"], gap["last"], gap["count"], gap["declared"], gap["why"]) for gap in found] == [
        (11, 15, 5, True, "size"),
        (21, 25, 5, False, ""),
    ]
    assert "5 records declared gone, 5 unexplained" in said


def test_status_shows_the_figures_and_that_they_balance(folder, command):
    said = command("status", folder / "central.toml")
    found = json.loads(command("status", folder / "central.toml", "--json"))

    assert found["balanced"] is True
    assert (found["counters"]["records_stored"], found["projections"]["series"]["behind"]) == (21, 21)
    assert found["ledger_bytes"] > 0
    assert "ok  records received = stored + duplicate + refused" in said
    command("rebuild", folder / "central.toml")
    found = json.loads(command("status", folder / "central.toml", "--json"))
    assert (found["missing"], found["declared_missing"]) == (5, 5)


def test_status_says_what_does_not_balance_and_exits_with_1(folder, command):
    parts = Parts.open(folder / "data")
    with parts.ledger._db.write() as db:
        db.execute("INSERT INTO counter VALUES ('records_refused', 99)")
    parts.close()

    said = command("status", folder / "central.toml", code=1)

    assert "NOT records received = stored + duplicate + refused" in said


def test_verify_counts_declared_and_unexplained(folder, command):
    report = json.loads(command("verify", "--data", folder / "data", "--json"))

    assert (report["verify"], report["missing"], report["declared_missing"]) == ("ok", 5, 5)


def test_archive_moves_whole_blocks_only(folder, command):
    assert json.loads(command("archive", folder / "central.toml", "--older-than", 1, "--json")) == []
    ledger = Ledger.open(folder / "data" / "ledger.db")
    with ledger._db.write() as db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 5 UNION ALL SELECT i + 1 FROM n WHERE i < 4100)"
            " INSERT INTO batch SELECT i, 1, 'a12', 'gw-9', 'e', 'data', i, i, x'', x'', x'00', NULL FROM n"
        )
    ledger.close()

    (segment,) = json.loads(command("archive", folder / "central.toml", "--json"))

    assert (segment["file"], segment["rows"]) == ("ledger-1-4096.db", 4096)
    assert (folder / "data" / "archive" / "ledger-1-4096.db").stat().st_size == segment["bytes"]
    (folder / "data" / "archive" / "ledger-1-4096.db").unlink()
    command("rebuild", folder / "central.toml", code=2)
    command("verify", folder / "central.toml", code=2)


def test_archive_without_an_age_must_be_told_one(folder, command):
    (folder / "central.toml").write_text(
        'data_dir = "data"\n[ledger]\narchive_after_s = 0\n', encoding="utf-8"
    )

    command("archive", folder / "central.toml", code=2)


def test_the_archives_folder_is_the_one_in_the_settings(folder, command, tmp_path):
    (folder / "central.toml").write_text(
        'data_dir = "data"\n[ledger]\narchive_dir = "no/where"\n', encoding="utf-8"
    )

    command("gaps", folder / "central.toml", code=2)
