from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import SITE, START, Central, row

days = st.tuples(
    st.sampled_from([0.5, 1, 3]),  # days since the last photo; three are silence
    st.sampled_from([40.0, 44.5, 45.5, 48.0, 50.0, 57.0, None]),
    st.sampled_from(["", "", "acknowledge", "late"]),
)


@settings(deadline=None, max_examples=20)
@given(st.lists(days, min_size=1, max_size=14))
def test_whatever_happened_a_rebuild_leaves_the_book_as_it_was(story):
    with TemporaryDirectory() as folder:
        central = Central(Path(folder) / "control.db")
        try:
            central.plan(50)
            rows, now = [], 0.0
            for gap, percent, event in story:
                for _ in range(4):
                    now += gap / 4
                    central.tick(now)
                day = now - 10 if event == "late" else now
                rows.append(row(len(rows) + 1, day, percent, half=60.0, received_day=now + 0.01))
                central.projection.apply(rows[-1:])
                if event == "acknowledge":
                    for alert in central.book.open(SITE):
                        if alert.acknowledged_by is None:
                            central.book.acknowledge(alert.id, "li", "", START + timedelta(days=now))
            central.tick(now + 0.02)
            alerts = central.book.recent(SITE)
            history = [central.book.history(alert.id) for alert in alerts]

            central.projection.reset()
            central.projection.apply(rows)
            central.tick(now + 0.02)

            assert central.book.recent(SITE) == alerts
            assert [central.book.history(alert.id) for alert in alerts] == history
        finally:
            central.close()
