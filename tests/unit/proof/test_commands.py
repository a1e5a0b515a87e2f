import json

import pytest

from plumbline.cli import run
from plumbline.clock import SystemClock
from plumbline_central.parts import Parts
from plumbline_central.verify import verify


@pytest.fixture
def command(site, capsys):
    """Run `plumbline central …` on the data folder: exit code, output, errors."""

    def command(*arguments):
        code = run(["central", *map(str, arguments), "--data", str(site.folder)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_head_makes_one_and_writes_it_for_the_supervisor(command, site, tmp_path):
    code, said, _ = command("head", "--out", tmp_path / "head.json")
    written = json.loads((tmp_path / "head.json").read_bytes())

    assert code == 0
    assert written["size"] == 14
    assert f"root {written['root']}" in said
    assert json.loads(command("head", "--json")[1]) == written
    assert [head["size"] for head in json.loads(command("head", "--list", "--json")[1])] == [14]
    assert "14" in command("head", "--list")[1]


def test_head_check_says_ok_and_then_what_was_done(command, site):
    assert command("head", "--check")[0] == 1  # there is none yet
    command("head")
    ok = command("head", "--check")
    site.meddle("DELETE FROM batch WHERE id = 4")
    faulty = command("head", "--check")
    as_json = json.loads(command("head", "--check", "--json")[1])

    assert ok[0] == 0
    assert "contains the tree of the head of 14 batches" in ok[1]
    assert faulty[0] == 1
    assert "missing: the row that was here when the head was made is gone (row 4)" in faulty[1]
    assert [finding["word"] for finding in as_json["findings"]] == ["missing"]


def test_export_writes_a_file_that_the_program_finds_good(command, verifier, tmp_path):
    code, said, _ = command("export", "--out", tmp_path / "e.zip", "--site", "a12")

    assert code == 0
    assert "4 lanes, 11 batches" in said
    assert verifier.main([str(tmp_path / "e.zip")]) == 0


def test_export_tells_programs_what_it_wrote(command, tmp_path):
    _, said, _ = command("export", "--out", tmp_path / "e.zip", "--json")
    told = json.loads(said)

    assert (told["lanes"], told["batches"], told["head"]["size"]) == (6, 14, 14)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--site", "nowhere"],
        ["--gateway", "nobody"],
        ["--gateway", "gw-9", "--site", "a12"],
        ["--out", "no/such/folder/e.zip"],
    ],
)
def test_an_export_of_nothing_known_leaves_no_file(command, tmp_path, arguments):
    code, _, why = command("export", "--out", tmp_path / "e.zip", *arguments)

    assert code == 1
    assert why.strip()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_changed_ledger_is_not_exported(command, site, tmp_path):
    command("head")
    site.meddle("UPDATE batch SET payload = zeroblob(9) WHERE id = 4")
    code, _, why = command("export", "--out", tmp_path / "e.zip")

    assert code == 1
    assert "the ledger was changed: row 4 is not what it was" in why
    assert not (tmp_path / "e.zip").exists()


def test_a_folder_without_a_ledger_is_a_sentence(tmp_path, capsys):
    assert run(["central", "head", "--data", str(tmp_path)]) == 2
    assert "ledger.db is not there" in capsys.readouterr().err


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE batch SET payload = zeroblob(200) WHERE id = 5",
        "UPDATE batch SET gateway = 'gw-2', epoch = 'e2' WHERE id = 2",
        "DELETE FROM batch WHERE id = 4",
        "DELETE FROM batch WHERE id >= 13",
    ],
)
def test_verify_finds_faults_in_the_same_ledger_too(site, script):
    site.meddle(script)
    with site.proofs() as proofs:
        assert not verify(proofs.ledger, proofs.registry.gateway).ok


def test_the_running_service_has_what_daily_heads_need(site):
    parts = Parts.open(site.folder)
    try:
        assert parts.daily_heads(SystemClock())
    finally:
        parts.close()
    with site.proofs() as proofs:
        assert proofs.key.public == parts.key.public
