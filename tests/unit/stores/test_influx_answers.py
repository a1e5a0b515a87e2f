"""What a server's answer means; the words are those of InfluxDB 1.6.7, 2.7 and 3 Core."""

import pytest

from plumbline.errors import Busy, Refused, Unreachable
from plumbline_central.stores.influx import answers
from plumbline_central.stores.influx.answers import (
    Away,
    Done,
    Misconfigured,
    Overloaded,
    Rejected,
    TooLarge,
    meaning,
    of_results,
)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (204, "", Done),
        (200, "", Done),
        (400, '{"error":"unable to parse \'garbage\': missing fields"}', Rejected),
        (400, '{"error":"partial write: points beyond retention policy dropped=1"}', Rejected),
        (400, '{"error":"partial write: field type conflict: input field \\"v\\"... dropped=1"}', Rejected),
        (422, '{"code":"unprocessable entity","message":"failure writing points to database"}', Rejected),
        (400, '{"error":"database is required"}', Misconfigured),
        (
            400,
            '{"error":"partial write: max-series-per-database limit exceeded: (1) dropped=1"}',
            Misconfigured,
        ),
        (401, '{"error":"authorization failed"}', Misconfigured),
        (403, '{"error":"user is required"}', Misconfigured),
        (404, '{"error":"database not found: \\"nope\\""}', Misconfigured),
        (404, '{"code":"not found","message":"bucket \\"b\\" not found"}', Misconfigured),
        (500, '{"error":"retention policy not found: nope"}', Misconfigured),
        (301, "", Misconfigured),
        (413, "", TooLarge),
        (429, "", Overloaded),
        (503, "", Overloaded),
        (500, '{"error":"engine: cache-max-memory-size exceeded"}', Away),
        (502, "<html>", Away),
        (408, "", Away),
    ],
)
def test_a_status_with_its_words_has_one_meaning(status, text, kind):
    assert isinstance(meaning(status, text), kind)


def test_the_words_are_the_servers_own():
    assert meaning(400, '{"error":"unable to parse\\n it"}') == Rejected("400 unable to parse it")
    assert meaning(400, '{"error":"partial write","data":[{"line_number":2}]}').words.endswith(
        "partial write [{'line_number': 2}]"
    )


@pytest.mark.parametrize(("asked", "s"), [("7", 7.0), ("", None), ("Wed, 21 Oct", None), ("999999", 3600.0)])
def test_a_pause_is_as_long_as_the_server_asks_within_an_hour(asked, s):
    assert meaning(429, "", retry_after=asked) == Overloaded("429", s)


def test_an_error_inside_a_200_is_found():
    assert of_results({"results": [{"statement_id": 0}]}) == Done()
    assert isinstance(of_results({"results": [{"error": "database not found: nope"}]}), Misconfigured)
    assert isinstance(of_results({"results": [{"error": "undefined function"}]}), Rejected)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Overloaded("429", 7.0), Busy),
        (Overloaded("503"), Unreachable),
        (Misconfigured("401"), Unreachable),
        (Away("gone"), Unreachable),
        (Rejected("400"), Refused),
    ],
)
def test_a_caller_hears_who_must_act(answer, kind):
    error = answers.error(answer, "http://x")

    assert type(error) is kind
    assert str(error).startswith("http://x: ")
    assert error.hint
