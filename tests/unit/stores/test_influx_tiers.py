"""How finely readings are kept, and where."""

from plumbline_central.settings import DownsampleSettings, StoreSettings
from plumbline_central.stores.influx.tiers import places_of, tiers_of


def test_without_downsampling_there_is_one_place_for_everything():
    settings = StoreSettings(kind="influx1", retention_days=400)
    (tier,) = tiers_of(settings)

    assert (tier.measurement, tier.place, tier.keep_days, tier.until_days) == (
        "meter",
        "plumbline",
        400,
        None,
    )
    assert [(place.name, place.keep_days) for place in places_of(settings)] == [("plumbline", 400)]


def test_each_finer_tier_is_kept_a_month_longer_than_it_is_the_best():
    settings = StoreSettings(
        kind="influx2",
        bucket="works",
        downsample=(
            DownsampleSettings(after_days=30, step_s=300),
            DownsampleSettings(after_days=365, step_s=3600),
        ),
    )

    assert [(t.measurement, t.place, t.step_s, t.until_days, t.keep_days) for t in tiers_of(settings)] == [
        ("meter", "works_meter", None, 30, 60),
        ("meter_300s", "works_meter_300s", 300, 365, 395),
        ("meter_3600s", "works", 3600, None, 0),
    ]
    assert [(place.name, place.default) for place in places_of(settings)] == [
        ("works", True),
        ("works_meter", False),
        ("works_meter_300s", False),
    ]
