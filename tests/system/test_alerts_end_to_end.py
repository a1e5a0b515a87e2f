"""A plan by CSV, five recorded weeks of two sites, a kill -9: real consumers hold exactly the expected alerts."""

from __future__ import annotations

import alert_story as story
import pytest
from alerts_end_to_end import play
from installation import MISSING

pytestmark = [
    pytest.mark.system,
    pytest.mark.timed,  # central's clock runs fifty times as fast as Alertmanager's, and must not overtake it
    pytest.mark.skipif(bool(MISSING), reason=f"apt install {MISSING}"),
]


async def test_alertmanager_receiver_and_broker_hold_exactly_the_alerts_of_the_story_and_then_none(tmp_path):
    found = await play(tmp_path)

    assert found.at_worst == dict.fromkeys(("Alertmanager", "receiver", "broker"), story.ALERTS)
    assert not any(found.day_after.values())
    assert 0 < found.before_kill.total() < found.told.total()
    expected = {
        *((what, site, f"{rule}-{subject}") for site, rule, subject, _ in story.ALERTS for what in ("raised", "returned")),
        ("severity", story.BEHIND, "deviation-east"),  # first amber, then red
        # a gateway that was never heard of begins with photos of weeks ago, and goes on to yesterday's
        *((what, site, f"no_data-{camera}") for site, camera in story.CAMERAS for what in ("raised", "returned")),
    }  # fmt: skip
    assert found.told == dict.fromkeys(expected, 1)
    assert found.stored == found.readings > 1_500
    assert found.took_s < 60
