import random
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plumbline.errors import ConfigError, Refused
from plumbline_edge.meters.dlt645.frames import (
    ANYBODY,
    ExceptionAnswer,
    ReadAddress,
    ReadData,
    ReadMore,
    address_text,
    as_address,
    decimal,
    more_follows,
    only_asks,
    request_frame,
)
from plumbline_edge.meters.dlt645.poll import Learned, decode
from plumbline_edge.meters.profiles.file import find_profile

GOLDEN = Path(__file__).parents[3] / "golden" / "dlt645"
FILES = {path.stem: tomllib.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.toml"))}
PROFILE = find_profile("dlt645_2007")

ME, OTHER = "000000000161", "000000000162"
VOLTAGE = ReadData(address=ME, di=0x02010100, size=2)
ANSWER = bytes.fromhex("68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16")

addresses = st.text("0123456789", min_size=12, max_size=12).filter(lambda digits: digits != "9" * 12)


def exchanges(kind):
    return [
        pytest.param(one, id=f"{name}-{i}")
        for name, file in FILES.items()
        for i, one in enumerate(file.get(kind, []))
    ]


def question_of(exchange):
    if exchange["asks"] == "address":
        return ReadAddress(address=exchange["of"])
    return ReadData(address=exchange["of"], di=int(exchange["asks"], 16), size=size_of(exchange))


def size_of(exchange):
    return sum(PROFILE.register(metric).count for metric in exchange.get("says", ()))


def framed(address, control, data):
    """A frame as a meter sends it, by the standard's figure 8; no code of the gateway is in it."""
    frame = [0x68, *(int(address[i : i + 2], 16) for i in range(10, -1, -2)), 0x68, control, len(data)]
    frame += [(byte + 0x33) % 256 for byte in data]
    return bytes([*frame, sum(frame) % 256, 0x16])


def test_every_golden_file_names_its_source():
    assert len(FILES) >= 6
    assert all(len(file["source"]) > 20 for file in FILES.values())


@pytest.mark.parametrize("exchange", [case for case in exchanges("exchange") if "question" in case.values[0]])
def test_a_published_question_is_asked_byte_for_byte(exchange):
    published = bytes.fromhex(exchange["question"]).lstrip(b"\xfe")

    assert question_of(exchange).request() == b"\xfe\xfe\xfe\xfe" + published


@pytest.mark.parametrize("exchange", [case for case in exchanges("exchange") if "says" in case.values[0]])
def test_a_published_answer_says_what_its_source_says_it_does(exchange):
    question = question_of(exchange)
    verdict = question.judge(0, bytes.fromhex(exchange["answer"]))
    payload = question.payload(verdict.frame)

    if isinstance(question, ReadAddress):
        assert address_text(payload) == exchange["says"]["address"]
        return
    polled = decode(PROFILE, [question], [payload], Learned())
    read = dict(zip((metric.name for metric in PROFILE.metrics), polled.values, strict=True))
    for metric, said in exchange["says"].items():
        expected = None if said == "absent" else PROFILE.register(metric).metric.to_wire(said)
        assert read[metric] == expected


@pytest.mark.parametrize("exchange", [case for case in exchanges("exchange") if "error" in case.values[0]])
def test_a_published_error_answer_is_a_refusal_with_its_word(exchange):
    question = question_of(exchange)
    verdict = question.judge(0, bytes.fromhex(exchange["answer"]))

    with pytest.raises(ExceptionAnswer, match="no such data") as refusal:
        question.payload(verdict.frame)
    assert refusal.value.code == exchange["error"]
    assert refusal.value.hint


@pytest.mark.parametrize("misprint", exchanges("refused"))
def test_a_published_frame_with_a_mistake_in_it_is_no_answer(misprint):
    verdict = question_of(misprint).judge(0, bytes.fromhex(misprint["answer"]))

    assert (verdict.frame, verdict.odd) == (b"", misprint["why"])


@given(st.integers(0, 255), addresses, st.binary(max_size=200))
def test_no_control_code_but_the_three_that_read_can_leave(control, address, data):
    if control in (0x11, 0x12, 0x13):
        assert only_asks(request_frame(control, address, data))
        return
    with pytest.raises(Refused, match="writes"):
        request_frame(control, address, data)
    assert not only_asks(b"\xfe\xfe\xfe\xfe" + framed(address, control, data))


@given(st.binary(max_size=40))
def test_what_is_not_one_whole_question_may_not_leave(junk):
    question = VOLTAGE.request()

    assert not only_asks(junk)
    assert not only_asks(question + b"\x00" + junk)
    assert not only_asks(question + question)


@given(addresses, st.integers(0, 0xFFFF_FFFF), st.integers(1, 255))
def test_every_question_that_can_be_asked_only_asks(address, di, sequence):
    questions = (
        ReadData(address=address, di=di, size=4),
        ReadMore(address=address, di=di, size=4, sequence=sequence),
        ReadAddress(address="AA" * 4 + address[8:]),
    )

    assert all(only_asks(question.request(7)) for question in questions)


@pytest.mark.parametrize("address", ["9" * 12, "61", "A" * 11 + "1", "1" * 10 + "AA", "00000000016x", ""])
def test_an_address_that_no_one_meter_can_have_is_never_called(address):
    with pytest.raises(ConfigError, match="no DL/T 645 address"):
        request_frame(0x11, address)


def test_the_digits_on_a_label_become_an_address():
    assert as_address("161") == ME
    assert as_address("2022 0114-1312") == "202201141312"
    for wrong in ("", "1234567890123", "12A4", "9" * 12, "١٢"):
        with pytest.raises(ConfigError, match="no DL/T 645 address"):
            as_address(wrong)


noise = st.binary(max_size=40)


@given(noise, noise)
def test_an_answer_is_found_in_noise_on_both_sides(before, after):
    assert VOLTAGE.judge(0, before + ANSWER + after).frame == ANSWER


def test_an_answer_is_found_behind_a_start_byte_that_promises_more_than_comes():
    false_start = bytes.fromhex("68 00 00 00 00 00 00 68 91 C8")

    assert VOLTAGE.judge(0, false_start + ANSWER).frame == ANSWER


def test_our_own_question_coming_back_is_no_answer():
    echo = VOLTAGE.request()

    assert "question" in VOLTAGE.judge(0, echo).odd
    assert VOLTAGE.judge(0, echo + ANSWER).frame == ANSWER


@pytest.mark.parametrize(
    ("frame", "odd"),
    [
        (framed(OTHER, 0x91, b"\0\1\1\2\1\x10"), "an answer of meter 000000000162"),
        (framed(ME, 0x91, b"\0\2\1\2\1\x10"), "an answer about 02010200"),
        (framed(ME, 0x91, b"\0\1"), "an answer about 0100"),
        (framed(ME, 0x91, b""), "an answer about nothing"),
        (framed(ME, 0x92, b"\0\1\1\2\1\x10"), "an answer with control code 92H"),
        (framed(ME, 0x94, b""), "an answer with control code 94H"),
        (framed(ME, 0xD1, b"\2\0"), "an answer with control code D1H"),
        (framed(ME, 0xD2, b"\2"), "an answer with control code D2H"),
        (framed("0000000001AB", 0x91, b"\0\1\1\2\1\x10"), "an answer of meter 0000000001AB"),
    ],
)
def test_an_answer_to_another_question_is_named_and_never_taken(frame, odd):
    verdict = VOLTAGE.judge(0, frame)

    assert (verdict.frame, verdict.odd, verdict.hopeless) == (b"", odd, False)
    assert VOLTAGE.judge(0, frame + ANSWER).frame == ANSWER


@given(addresses, addresses, st.integers(0, 0xFFFF_FFFF), st.integers(0, 0xFFFF_FFFF))
def test_a_late_answer_to_any_other_question_is_never_taken(asked, answering, di, other):
    assume((asked, di) != (answering, other))
    late = framed(answering, 0x91, other.to_bytes(4, "little") + b"\1\x10")

    assert ReadData(address=asked, di=di, size=2).judge(0, late).frame == b""


@given(st.integers(0, len(ANSWER) - 1), st.integers(1, 255))
def test_no_byte_of_an_answer_can_change_unseen(place, flip):
    bent = ANSWER[:place] + bytes((ANSWER[place] ^ flip,)) + ANSWER[place + 1 :]

    assert VOLTAGE.judge(0, bent).frame == b""


@given(st.integers(0, len(ANSWER) - 1))
def test_a_beginning_of_an_answer_is_waited_for(cut):
    verdict = VOLTAGE.judge(0, b"\xfe\xfe" + ANSWER[:cut])

    assert (verdict.frame, verdict.hopeless) == (b"", False)
    assert verdict.odd == ("half an answer" if cut else "")


def test_silence_is_not_odd_and_noise_is():
    assert VOLTAGE.judge(0, b"").odd == VOLTAGE.judge(0, b"\xfe" * 4).odd == ""
    assert VOLTAGE.judge(0, b"\x00\xff").odd == "garbage instead of a frame"


@given(addresses, st.integers(0, 4))
def test_whoever_fits_a_shortened_address_may_answer_it(address, known):
    asked = "AA" * (6 - known) + address[12 - 2 * known :]
    answer = framed(address, 0x91, b"\0\1\1\2\1\x10")

    assert ReadData(address=asked, di=0x02010100, size=2).judge(0, answer).frame == answer
    told = framed(address, 0x93, bytes.fromhex(address)[::-1])
    question = ReadAddress(address=asked)
    assert address_text(question.payload(question.judge(0, told).frame)) == address


def test_an_address_that_is_not_its_senders_is_refused():
    told = framed(ME, 0x93, bytes.fromhex(OTHER)[::-1])

    assert ReadAddress().judge(0, told).odd == "an address that is not its sender's"


def test_an_answer_in_parts_is_read_part_by_part():
    first = framed(ME, 0xB1, b"\0\xff\1\0" + b"\x11\x22")
    second = framed(ME, 0x92, b"\0\xff\1\0" + b"\x33" + b"\1")
    read, more = (
        ReadData(address=ME, di=0x0001FF00, size=3),
        ReadMore(address=ME, di=0x0001FF00, size=1, sequence=1),
    )

    assert read.payload(read.judge(0, first).frame) == b"\x11\x22"
    assert more.payload(more.judge(0, second).frame) == b"\x33"
    assert (more_follows(first), more_follows(second)) == (True, False)
    other_part = framed(ME, 0x92, b"\0\xff\1\0" + b"\x33" + b"\2")
    assert more.judge(0, other_part).odd == "an answer with part 2"


@pytest.mark.parametrize(
    ("word", "reason"),
    [(1, "other error"), (2, "no such data"), (4, "not authorised"), (0x42, "no such data, too many tariffs"), (0, "reason unknown")],
)  # fmt: skip
def test_an_error_word_is_told_in_english(word, reason):
    with pytest.raises(ExceptionAnswer) as refusal:
        VOLTAGE.payload(VOLTAGE.judge(0, framed(ME, 0xD1, bytes((word,)))).frame)

    assert str(refusal.value) == f"meter {ME}: data 02010100: error {word:02X}H ({reason})"
    assert refusal.value.code == word


@pytest.mark.parametrize(
    ("data", "signed", "number"),
    [
        ("01 10", False, 1001),
        ("94 23", True, 2394),
        ("12 25 80", True, -2512),
        ("12 25 80", False, 802512),
        ("00 00 80", True, 0),
        ("99 99 79", True, 799999),
        ("99 99 F9", True, -799999),
        ("FF FF", False, None),
        ("FF FF FF", True, None),
    ],
)
def test_decimals_are_read_low_byte_first(data, signed, number):
    assert decimal(bytes.fromhex(data), signed=signed) == number


@pytest.mark.parametrize(
    ("data", "signed"), [("0A 00", False), ("FF 23", False), ("00 FF", True), ("00 F0", False)]
)
def test_a_digit_above_nine_is_garbage(data, signed):
    with pytest.raises(ValueError, match="no decimal number"):
        decimal(bytes.fromhex(data), signed=signed)


def hostile(rng):
    """Bytes as a broken or malicious wire brings them: plain noise, cut, bent and repeated frames."""
    frame = framed(f"{rng.randrange(10**12):012d}", rng.randrange(256), rng.randbytes(rng.randrange(201)))
    match rng.randrange(5):
        case 0:
            return rng.randbytes(rng.randrange(300))
        case 1:
            return frame[: rng.randrange(len(frame))] + rng.randbytes(rng.randrange(9))
        case 2:
            return b"\x68" * rng.randrange(1_200)
        case 3:
            return (b"\x68" + rng.randbytes(6) + b"\x68\x91\xc8") * rng.randrange(60)
        case _:
            at = rng.randrange(len(ANSWER))
            return frame + ANSWER[:at] + rng.randbytes(1) + ANSWER[at + 1 :]


def test_twenty_thousand_hostile_strings_pass_quickly_and_none_is_an_answer_it_is_not():
    rng = random.Random(645)
    strings = [hostile(rng) for _ in range(20_000)]
    slowest_s = taken = 0

    for received in strings:
        began_s = time.process_time()
        verdict = VOLTAGE.judge(0, received)
        ReadAddress(address=ANYBODY).judge(0, received)
        slowest_s = max(slowest_s, time.process_time() - began_s)
        taken += bool(verdict.frame)
        assert verdict.frame in (b"", ANSWER)

    assert taken < 100  # where the random byte was the right one: 1 in 256 of one string in five
    assert slowest_s < 0.25  # the collector may fall into one of them


def test_more_noise_than_any_answer_is_long_is_hopeless():
    assert VOLTAGE.judge(0, bytes(1_025)).hopeless
    assert not VOLTAGE.judge(0, bytes(1_024)).hopeless
