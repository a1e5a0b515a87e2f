"""A store that is not the one that the readings went to is not taken for it."""

import pytest

from plumbline.errors import ConfigError
from plumbline_central.project import Tally
from plumbline_central.schema import Database
from plumbline_central.stores import cursors, owner


@pytest.fixture
def db(tmp_path):
    made = Database.open(tmp_path / "series.db", (*cursors.MIGRATIONS, *owner.MIGRATIONS))
    yield made
    made.close()


def begin(db):
    with db.write() as writer:
        cursors.move(writer, "series", Tally(through=7))


def test_an_empty_file_belongs_to_whoever_comes_first(db):
    owner.check(db, "influx1 a", projection="series")
    begin(db)
    owner.check(db, "influx1 a", projection="series")

    with pytest.raises(ConfigError, match="influx1 a"):
        owner.check(db, "influx1 b", projection="series")


def test_an_older_versions_file_is_sqlites_until_a_rebuild(db):
    begin(db)
    owner.check(db, "sqlite", projection="series")
    with pytest.raises(ConfigError, match="sqlite") as raised:
        owner.check(db, "influx1 a", projection="series")
    assert "rebuild" in raised.value.hint
    owner.claim(db, "influx1 a")

    owner.check(db, "influx1 a", projection="series")
