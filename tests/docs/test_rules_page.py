import dataclasses
import re
import tomllib
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter

from plumbline_central.alerts.alert import Rule
from plumbline_central.rules.limits import Limits

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


def test_every_rule_stands_in_the_page_once():
    assert sorted(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == sorted(get_args(Rule))


def test_every_limit_that_the_page_names_is_one():
    names = {field.name for field in dataclasses.fields(Limits)}
    named = set(re.findall(r"`(\w+_(?:s|px|pp|days|percent|kwh|photos|weeks))`", PAGE)) - {
        "fresh_for_s",
        "evaluate_every_s",
    }

    assert {name for name in named if not name.startswith("clear_below")} <= names


def test_the_example_is_understood():
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    limits = TypeAdapter(Limits).validate_python(tomllib.loads(example)["rules"])

    assert (limits.stalled_days, limits.hours_of("a12").from_h) == (21, 7)
