"""The API's description says all that a program's author needs, and says it truly."""

from types import SimpleNamespace

import pytest

from plumbline_central.api import models, models_alerts
from plumbline_central.api.app import create_api
from plumbline_central.api.examples import EXAMPLES


@pytest.fixture(scope="module")
def document():
    return create_api(SimpleNamespace(names=())).openapi()


@pytest.fixture(scope="module")
def operations(document):
    return [
        (f"{verb} {path}", operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]


def shapes(said):
    """The names of all components that something stands on directly."""
    if isinstance(said, dict):
        for key, value in said.items():
            if key == "$ref":
                yield value.rsplit("/", 1)[1]
            else:
                yield from shapes(value)
    elif isinstance(said, list):
        for one in said:
            yield from shapes(one)


def has_example(document, content):
    if {"example", "examples"} & (content.keys() | content["schema"].keys()):
        return True
    named = list(shapes(content["schema"]))
    return bool(named) and all("examples" in document["components"]["schemas"][name] for name in named)


def test_every_route_has_a_name_a_description_and_its_own_id(operations):
    assert [name for name, said in operations if not (said["summary"] and said.get("description"))] == []
    assert len({said["operationId"] for _, said in operations}) == len(operations)


def test_every_route_has_an_answer_with_a_shape_and_an_example(document, operations):
    lacking = []
    for name, said in operations:
        good = [answer for code, answer in said["responses"].items() if code.startswith("2")]
        (answer,) = good
        for kind, content in answer["content"].items():
            if kind not in ("image/jpeg", "application/vnd.apache.parquet") and not has_example(
                document, content
            ):
                lacking.append(f"{name} {kind}")

    assert lacking == []


def test_every_body_has_an_example(document, operations):
    bodies = [
        (name, content)
        for name, said in operations
        for content in said.get("requestBody", {}).get("content", {}).values()
    ]

    assert [name for name, content in bodies if not has_example(document, content)] == []
    assert len(bodies) > 15


def test_every_route_says_which_problems_it_may_answer(operations):
    for name, said in operations:
        problems = {code: answer for code, answer in said["responses"].items() if code >= "4"}

        assert {"404", "422", "503"} <= problems.keys(), name
        assert (name.startswith("get")) == ("403" not in problems), name
        assert all(list(one["content"]) == ["application/problem+json"] for one in problems.values()), name


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_of_its_shape_and_has_all_of_it(name):
    shape = getattr(models, name, None) or getattr(models_alerts, name)
    example = dict(EXAMPLES[name])
    made = shape.model_validate(example)

    assert made.model_fields_set == example.keys()
    if name.endswith("Out") and name != "FaultOut":
        assert example.keys() == shape.model_fields.keys()
