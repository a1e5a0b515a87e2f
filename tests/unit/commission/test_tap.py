"""Listening in on a line."""

from plumbline_edge.commission.tap import Tapped


class Line:
    def __init__(self):
        self.sent = []

    def send(self, data):
        self.sent.append(data)

    def close(self):
        self.sent.append("closed")


class Ears:
    def __init__(self):
        self.came = []

    def heard(self, data):
        self.came.append(data)

    def lost(self, why):
        self.came.append(why)


async def test_all_that_goes_over_the_line_is_noted_and_passed_on():
    line, ears, tapped, given = Line(), Ears(), Tapped(), []

    async def opener(inner):
        given.append(inner)
        return line

    outer = await tapped.tap(opener)(ears)
    outer.send(b"\x01\x04")
    given[0].heard(b"\x01")
    given[0].heard(b"\x04")
    given[0].lost("gone")
    outer.close()

    assert (line.sent, ears.came) == ([b"\x01\x04", "closed"], [b"\x01", b"\x04", "gone"])
    assert [text.split("  ")[0] for text in tapped.lines()] == ["> 01 04", "< 01 04"]


async def test_a_line_that_never_falls_silent_does_not_fill_the_memory():
    tapped = Tapped()
    for _ in range(100):
        tapped.note("answer", b"\0" * 1000)

    assert sum(len(one.data) for one in tapped.heard) <= 4096
