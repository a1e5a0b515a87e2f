from hypothesis import given
from hypothesis import strategies as st

from plumbline.cli import run
from plumbline.terminal import printable
from plumbline_edge.commission import show
from plumbline_edge.commission.reading import Reading

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202eM\x00\r[red]"


@given(st.text())
def test_whatever_is_said_nothing_of_it_steers_a_terminal(text):
    shown = printable(text)

    assert shown.replace("\n", "").isprintable()


def test_what_prints_is_left_as_it_is():
    assert printable("µ 电表\nline 2") == "µ 电表\nline 2"


def test_an_error_about_a_hostile_file_does_not_steer_the_terminal(tmp_path, capsys):
    tape = tmp_path / "bus.jsonl"
    tape.write_bytes(b'{"tape":1,"protocol":"tcp"}\n{"\\u001b[2Jx":1}\n')

    assert run(["sim", "replay", str(tape)]) == 2
    assert "\x1b" not in (said := capsys.readouterr().err)
    assert "\\x1b[2Jx" in said


def test_what_a_meter_says_does_not_steer_the_terminal(capsys):
    show.reading(Reading(meter=HOSTILE, rows=(), requests=1, took_ms=1.0, why=HOSTILE, hint=HOSTILE))

    said = capsys.readouterr().out
    assert said.replace("\n", "").isprintable()
    assert said.count("[red]") == 3
