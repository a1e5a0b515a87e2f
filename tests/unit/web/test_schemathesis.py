"""Whatever a program asks, the API never breaks, and answers as its own description says (schemathesis)."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = {"/api/v1/events", "/api/v1/alerts/stream"}
THERE = {
    "site": "east-lake",
    "indicator": "funds_paid",
    "alert": 1,
    "silence": 1,
    "version": 1,
    "other": 2,
    "milestone": "scaffold",
    "device": "crane",
    "metric": "voltage_l1",
}
"""What the filled world has: without it nearly every answer were 404."""


def without_tuples(said):
    """The document with `items` for `prefixItems`, which schemathesis 4.32 turns into a list that it then refuses."""
    if isinstance(said, list):
        return [without_tuples(one) for one in said]
    if not isinstance(said, dict):
        return said
    plain = {key: without_tuples(value) for key, value in said.items() if key != "prefixItems"}
    if isinstance(said.get("prefixItems"), list):
        plain["items"] = {"anyOf": without_tuples(said["prefixItems"])}
    return plain


def of_what_is_there(case, named):
    for part in (case.path_parameters, case.query):
        for name in list(part or ()):
            if name in named and name in THERE:
                part[name] = THERE[name]
    return case


@pytest.mark.parametrize(("mode", "examples"), [(GenerationMode.POSITIVE, 8), (GenerationMode.NEGATIVE, 2)])
def test_the_api_answers_as_it_is_described(open_world, told, mode, examples):
    world = open_world(names=("testserver",))
    world.add_site()
    world.plan((0, 0), (100, 100))
    told.fill(world)
    schema = schemathesis.openapi.from_dict(without_tuples(world.api.openapi()))
    schema.app = world.api
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in ENDLESS:
            continue

        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(
            operation.as_strategy(generation_mode=mode), st.sets(st.sampled_from(sorted(THERE)), min_size=5)
        )
        def ask(case, named):
            answer = of_what_is_there(case, named).call()
            asked.add(case.operation.label)
            case.validate_response(answer, checks=CHECKS)

        try:
            ask()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # what takes nothing cannot be asked wrongly

    assert len(asked) > 35
