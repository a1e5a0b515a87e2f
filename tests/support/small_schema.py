"""Checks a value against a JSON Schema: the words of draft 7 that our own schemas use, and an error for any other."""

import json
import re
from functools import partial

KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
SILENT = {"$schema", "title", "description", "default", "definitions", "else"}


def slips(value, schema, place="", root=None):
    """(place, expectation) of everything that does not fit."""
    root = root or schema
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].removeprefix("#/definitions/")]
    unknown = set(schema) - set(RULES) - SILENT
    assert not unknown, f"this small check does not know {unknown}"

    if "type" in schema and not is_a(schema["type"], value):
        yield place, schema["type"]
        return
    for word, argument in schema.items():
        if word in RULES:
            yield from RULES[word](value, argument, schema, partial(slips, root=root), place)


def is_a(kind, value):
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, KINDS[kind])


def _fits(value, schema, check):
    return not any(True for _ in check(value, schema))


def _when(kind, wrong, expected):
    """A rule for values of one kind."""

    def rule(value, argument, schema, check, place):
        if is_a(kind, value) and wrong(value, argument):
            yield place, f"{expected} {json.dumps(argument)}"

    return rule


def _whenever(wrong, expected):
    def rule(value, argument, schema, check, place):
        if wrong(value, argument, check):
            yield place, expected

    return rule


def _otherwise(value, condition, schema, check, place):
    if not _fits(value, condition, check):
        yield from check(value, schema["else"], place)


def _items(value, schema, whole, check, place):
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from check(item, schema, f"{place}[{i}]")


def _properties(value, known, schema, check, place):
    if isinstance(value, dict):
        for key in value.keys() & known.keys():
            yield from check(value[key], known[key], f"{place}.{key}")


def _additional(value, other, schema, check, place):
    if not isinstance(value, dict):
        return
    for key in value.keys() - schema.get("properties", {}).keys():
        if other is False:
            yield f"{place}.{key}", "no such key"
        else:
            yield from check(value[key], other, f"{place}.{key}")


def _required(value, keys, schema, check, place):
    if isinstance(value, dict):
        yield from ((f"{place}.{key}", "a value here") for key in keys if key not in value)


RULES = {
    "type": lambda *_: (),
    "const": _whenever(lambda value, one, _: value != one, "another value"),
    "enum": _whenever(lambda value, several, _: value not in several, "one of a list"),
    "oneOf": _whenever(lambda value, parts, check: sum(_fits(value, p, check) for p in parts) != 1, "one of several shapes"),
    "anyOf": _whenever(lambda value, parts, check: not any(_fits(value, p, check) for p in parts), "any of several shapes"),
    "not": _whenever(_fits, "something else"),
    "if": _otherwise,
    "minimum": _when("number", lambda value, low: value < low, "at least"),
    "maximum": _when("number", lambda value, high: value > high, "at most"),
    "exclusiveMinimum": _when("number", lambda value, low: value <= low, "more than"),
    "minLength": _when("string", lambda text, least: len(text) < least, "letters, at least"),
    "pattern": _when("string", lambda text, pattern: not re.search(pattern, text), "a text like"),
    "minItems": _when("array", lambda items, least: len(items) < least, "items, at least"),
    "maxItems": _when("array", lambda items, most: len(items) > most, "items, at most"),
    "uniqueItems": _when("array", lambda items, unique: unique and len(set(items)) < len(items), "each once:"),
    "minProperties": _when("object", lambda table, least: len(table) < least, "keys, at least"),
    "items": _items,
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _required,
}  # fmt: skip
