from hypothesis import assume, given
from hypothesis import strategies as st

from plumbline_edge.meters.modbus.frames import Expected, find_tcp_answer

REQUEST = bytes.fromhex("0007 0000 0006 11 04 0000 0002")
ANSWER = bytes.fromhex("0007 0000 0007 11 04 04 43661999")
EXCEPTION = bytes.fromhex("0007 0000 0003 11 84 02")
LATE = bytes.fromhex("0006 0000 0007 11 04 04 00000000")
EXPECTED = Expected(unit=0x11, function=4, size=4)


def find_answer(expected, received):
    return find_tcp_answer(expected, 7, received)


def test_an_answer_and_an_exception_are_found_whole():
    assert find_answer(EXPECTED, ANSWER).frame == ANSWER
    assert find_answer(EXPECTED, EXCEPTION).frame == EXCEPTION


def test_an_answer_to_an_earlier_request_is_skipped():
    alone = find_answer(EXPECTED, LATE)

    assert (alone.frame, alone.odd) == (b"", "an answer to another request")
    assert find_answer(EXPECTED, LATE + ANSWER).frame == ANSWER


@given(st.integers(0, len(ANSWER) - 1))
def test_a_beginning_of_an_answer_is_never_taken_for_it(cut):
    verdict = find_answer(EXPECTED, ANSWER[:cut])

    assert verdict.frame == b""
    assert not verdict.hopeless


@given(st.binary(max_size=300))
def test_random_bytes_are_never_an_answer(noise):
    assume(not noise.startswith(ANSWER[:2]))

    verdict = find_answer(EXPECTED, noise)

    assert verdict.frame == b"" or verdict.frame[:2] == ANSWER[:2]


@given(st.integers(0, 8), st.integers(0, 255))
def test_a_frame_with_anything_wrong_before_its_data_is_never_an_answer(place, value):
    assume(value != ANSWER[place])
    bent = ANSWER[:place] + bytes((value,)) + ANSWER[place + 1 :]

    assert find_answer(EXPECTED, bent).frame == b""


@given(st.integers(1, 120))
def test_an_answer_of_another_length_is_refused_even_where_it_is_consistent(words):
    assume(words != 2)
    answer = ANSWER[:4] + (3 + 2 * words).to_bytes(2) + ANSWER[6:8] + bytes((2 * words,)) + bytes(2 * words)

    verdict = find_answer(EXPECTED, answer)

    assert verdict.frame == b""
    assert verdict.odd == f"{2 * words} bytes where 4 were asked for"
