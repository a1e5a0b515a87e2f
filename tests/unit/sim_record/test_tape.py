import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_sim.meter.rtuframe import rtu_frame
from plumbline_sim.record import recorder
from plumbline_sim.record.messages import read_message, tcp_frame
from plumbline_sim.record.tape import Head, Line, line_of, load_tape, pair, to_text

ASK, OTHER = bytes.fromhex("0400000002"), bytes.fromhex("0400340002")
SAY, SAY_OTHER = bytes.fromhex("040443664000"), bytes.fromhex("040400000000")


def said(t_s, direction, raw, connection=1):
    return Line(t_s=t_s, dir=direction, hex=raw.hex(), connection=connection)


def answers(tape):
    return [exchange.answer and exchange.answer.raw for exchange in tape.exchanges]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("request", "answer")), st.binary(min_size=1, max_size=300), st.integers(0, 3)
        ),
        max_size=20,
    ),
    st.sampled_from(("tcp", "rtu", "rtu_over_tcp")),
)
def test_a_tape_is_read_back_as_it_was_written(tmp_path_factory, said_, protocol):
    framing = "tcp" if protocol == "tcp" else "rtu"
    lines = [
        line_of(read_message(framing, raw), way, t_s=i / 7, connection=connection)
        for i, (way, raw, connection) in enumerate(said_)
    ]
    path = tmp_path_factory.mktemp("tape") / "bus.jsonl"
    path.write_bytes(to_text(Head(protocol=protocol)) + b"".join(map(to_text, lines)))

    assert load_tape(path) == pair(protocol, lines)


def test_an_answer_goes_to_the_request_with_its_transaction():
    lines = [
        said(0.0, "request", tcp_frame(1, 1, ASK)),
        said(0.1, "request", tcp_frame(2, 1, OTHER)),
        said(0.3, "answer", tcp_frame(2, 1, SAY_OTHER)),
        said(0.7, "answer", tcp_frame(1, 1, SAY)),
    ]
    tape = pair("tcp", lines)

    assert answers(tape) == [tcp_frame(1, 1, SAY), tcp_frame(2, 1, SAY_OTHER)]
    assert [exchange.delay_s for exchange in tape.exchanges] == pytest.approx([0.7, 0.2])


def test_a_master_that_never_changes_its_transaction_is_followed_too():
    lines = [
        said(0.0, "request", tcp_frame(0, 1, ASK)),
        said(3.0, "request", tcp_frame(0, 2, OTHER)),
        said(3.1, "answer", tcp_frame(0, 2, SAY_OTHER)),
    ]

    assert answers(pair("tcp", lines)) == [None, tcp_frame(0, 2, SAY_OTHER)]


def test_an_answer_with_a_wrong_transaction_is_kept_with_the_request_before_it():
    lines = [said(0.0, "request", tcp_frame(1, 1, ASK)), said(0.1, "answer", tcp_frame(9, 1, SAY))]

    assert answers(pair("tcp", lines)) == [tcp_frame(9, 1, SAY)]


def test_an_answer_from_before_the_recording_takes_nobodys_place():
    lines = [
        said(0.0, "request", tcp_frame(6, 1, ASK)),
        said(0.1, "answer", tcp_frame(5, 1, SAY_OTHER)),
        said(0.2, "answer", tcp_frame(6, 1, SAY)),
    ]
    tape = pair("tcp", lines)

    assert answers(tape) == [tcp_frame(6, 1, SAY)]
    assert tape.unasked == 1


def test_two_connections_are_kept_apart():
    lines = [
        said(0.0, "request", tcp_frame(1, 1, ASK), connection=1),
        said(0.1, "request", tcp_frame(1, 1, OTHER), connection=2),
        said(0.2, "answer", tcp_frame(1, 1, SAY), connection=1),
    ]

    assert answers(pair("tcp", lines)) == [tcp_frame(1, 1, SAY), None]


def test_on_a_serial_bus_all_that_follows_a_request_answers_it():
    whole = rtu_frame(1, SAY)
    lines = [
        said(0.0, "request", rtu_frame(1, ASK)),
        said(0.1, "answer", whole[:4]),
        said(0.3, "answer", whole[4:]),
        said(0.5, "request", rtu_frame(2, ASK)),
    ]
    tape = pair("rtu", lines)

    assert answers(tape) == [whole, None]
    assert tape.exchanges[0].answer.pdu == SAY
    assert tape.exchanges[0].delay_s == pytest.approx(0.3)


HEAD = b'{"tape":1,"protocol":"tcp"}\n'


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        (b"", ":1:", "truncated"),
        (b'{"tape":2,"protocol":"tcp"}\n', ":1:", "tape is 2"),
        (b'{"tape":1,"protocol":"dlt645"}\n', ":1:", "dlt645"),
        (HEAD + b'{"t_s":0,"dir":"request","hex":"00"}\n{"t_s":0,"dir":"sideways","hex":"00"}\n', ":3:", "sideways"),
        (HEAD + b'{"t_s":0,"dir":"request","hex":"0g"}\n', ":2:", "hexadecimal"),
        (HEAD + b'{"t_s":0,"dir":"request","hex":""}\n', ":2:", "hexadecimal"),
        (HEAD + b'{"t_s":-1,"dir":"request","hex":"00"}\n', ":2:", "t_s"),
        (HEAD + b'{"t_s":0,"dir":"request","hex":"00","colour":1}\n', ":2:", "colour"),
        (HEAD + b'{"t_s":0,"dir":"request","hex":"' + b"0" * 5000 + b'"}\n', ":2:", "longer than"),
        (HEAD + b"\xff\xfe\n", ":2:", ""),
    ],
)  # fmt: skip
def test_a_mistake_in_a_tape_is_named_with_its_line(tmp_path, text, where, words):
    path = tmp_path / "bus.jsonl"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as wrong:
        load_tape(path)

    assert f"{path}{where}" in str(wrong.value)
    assert words in str(wrong.value)


def test_a_last_line_that_a_killed_recorder_left_unfinished_is_left_out(tmp_path):
    path = tmp_path / "bus.jsonl"
    path.write_bytes(HEAD + to_text(said(0.0, "request", tcp_frame(1, 1, ASK))) + b'{"t_s":0.1,"dir":"ans')

    assert answers(load_tape(path)) == [None]


@given(st.binary(max_size=200))
def test_no_file_crashes_the_reader(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("tape") / "bus.jsonl"
    path.write_bytes(HEAD + text)
    try:
        tape = load_tape(path)
    except ConfigError:
        return

    assert len(tape.exchanges) <= text.count(b"\n")


def test_a_tape_ends_where_it_could_not_be_played_any_more_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "MOST_FILE_BYTES", 1 << 20)
    path = tmp_path / "bus.jsonl"
    with recorder.TapeFile(path, "tcp") as tape:
        for _ in range(2000):
            tape.write([Line(t_s=0, dir="answer", hex="00" * 512)])

    assert tape.failed == "full at 1 MiB"
    assert path.stat().st_size <= 1 << 20
    assert load_tape(path).unasked == tape.lines["answer"]
