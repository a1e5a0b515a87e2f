"""The JSON Schema of a profile file, so that an editor completes its keys and underlines a slip while it is typed.

`python -m plumbline_edge.meters.profiles.schema > firmware_configs/meters/profile.schema.json` writes it anew. What it
cannot say (overlaps, barriers inside a value) the reader does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from plumbline.metrics import METRICS, Metric
from plumbline_edge.meters.profiles.keys import (
    BLOCK_KEYS,
    BOUNDS,
    IDENTIFY_FUNCTIONS,
    IDENTIFY_KEYS,
    IDENTIFY_TYPES,
    KEYS,
    REGISTER_KEYS,
    SERIAL_KEYS,
    SERIAL_NUMBER_FUNCTIONS,
    SERIAL_NUMBER_KEYS,
    SERIAL_NUMBER_TYPES,
    USUAL_BAUDS,
)
from plumbline_edge.meters.profiles.profile import PLAUSIBLE, ByteOrder, Parity, Protocol, Type, WordOrder

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_RAW: Final[Schema] = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?(0[xX][0-9a-fA-F_]+|[0-9_]+)$"}]}  # fmt: skip
_SENTINELS: Final[Schema] = {"anyOf": [*_RAW["anyOf"], {"type": "array", "items": _RAW}]}
_SPELLED: Final = {"1": "ones", "%": "percent"}
_RANGE: Final[Schema] = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


def profile_schema() -> Schema:
    """Draft 7, which taplo and Even Better TOML understand."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Plumbline meter profile",
        "description": "One meter family: which register holds which metric, and how its meters are told apart and asked.",
        **_table(_top(), KEYS, ("name", "maker", "probe", "registers")),
        "oneOf": [
            {"required": ["source"], "not": {"anyOf": [{"required": [key]} for key in ("sources", "from")]}},
            {"required": ["sources", "from"], "not": {"required": ["source"]}},
        ],
        "if": {"properties": {"protocol": {"const": "dlt645"}}, "required": ["protocol"]},
        "else": {"required": ["function", "max_registers"]},
        "definitions": {_kind(metric): _register(metric) for metric in METRICS},
    }


def schema_text() -> str:
    """The schema as its file holds it."""
    return json.dumps(profile_schema(), indent=2, ensure_ascii=False) + "\n"


def _top() -> dict[str, Schema]:
    return {
        "name": _TEXT,
        "maker": _TEXT,
        "covers": _list(_TEXT),
        "protocol": _one_of(get_args(Protocol)),
        "source": _TEXT,
        "sources": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
        "from": _ids(),
        "notes": _list(_TEXT),
        "function": _whole("function"),
        "words": _one_of(get_args(WordOrder)),
        "bytes": _one_of(get_args(ByteOrder)),
        "max_registers": _whole("max_registers"),
        "max_gap": _whole("max_gap"),
        "barriers": _list(_whole("barriers")),
        "min_gap_ms": _whole("min_gap_ms"),
        "probe": _one_of(metric.name for metric in METRICS),
        "absent": {
            "type": "object",
            "additionalProperties": False,
            "properties": dict.fromkeys(get_args(Type), _SENTINELS),
        },
        "serial": _serial(),
        "identify": _list(_identify()),
        "serial_number": _serial_number(),
        "models": _list(_whole("models")),
        "blocks": _list(_block()),
        "registers": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                metric.name: {"$ref": f"#/definitions/{_kind(metric)}"} for metric in METRICS
            },
        },
    }  # fmt: skip


def _register(metric: Metric) -> Schema:
    low, high = PLAUSIBLE[metric.unit]
    keys = {
        "address": {"type": "integer", "minimum": 0, "maximum": BOUNDS["id"][1]},
        "type": _one_of(get_args(Type)),
        "unit": {"const": metric.unit},
        "scale": {"type": "number", "not": {"const": 0}},
        "scale_at": _whole("address"),
        "words": _one_of(get_args(WordOrder)),
        "bytes": _one_of(get_args(ByteOrder)),
        "absent": _SENTINELS,
        "range": {**_RANGE, "default": [low, high]},
        "modulus": {"type": "number", "exclusiveMinimum": 0},
        "from": _ids(),
    }
    if metric.kind != "counter":
        del keys["modulus"]
    meanings = {key: meaning for key, meaning in REGISTER_KEYS.items() if key in keys}
    return _table(keys, meanings, ("address", "type", "unit"))


def _serial() -> Schema:
    baud = {"enum": list(USUAL_BAUDS)}
    keys = {
        "baud": baud,
        "parity": _one_of(get_args(Parity)),
        "stop_bits": _whole("stop_bits"),
        "unit": _whole("unit"),
        "bauds": _list(baud),
        "parities": _list(_one_of(get_args(Parity))),
        "covers": _list(_TEXT),
    }
    return _table(keys, dict.fromkeys(SERIAL_KEYS, ""), ("baud", "parity"))


def _identify() -> Schema:
    keys = {
        "function": {"enum": list(IDENTIFY_FUNCTIONS)},
        "address": _whole("address"),
        "type": _one_of(IDENTIFY_TYPES),
        "count": _whole("count"),
        "equals": {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [{"type": "integer", "minimum": 0}, _TEXT]},
        },
    }
    return _table(
        keys, dict.fromkeys(IDENTIFY_KEYS, ""), tuple(key for key in IDENTIFY_KEYS if key != "count")
    )


def _serial_number() -> Schema:
    keys = {
        "function": {"enum": list(SERIAL_NUMBER_FUNCTIONS)},
        "address": _whole("address"),
        "type": _one_of(SERIAL_NUMBER_TYPES),
        "count": _whole("count"),
    }
    return _table(keys, dict.fromkeys(SERIAL_NUMBER_KEYS, ""), ("function", "address", "type"))


def _block() -> Schema:
    keys = {"id": _whole("id"), "metrics": _list(_one_of(metric.name for metric in METRICS))}
    return _table(keys, dict.fromkeys(BLOCK_KEYS, ""), BLOCK_KEYS)


def _table(keys: Mapping[str, Schema], meanings: Mapping[str, str], required: tuple[str, ...]) -> Schema:
    """A table with these keys and no others, in the order and with the meanings of the reader's."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {
            key: {"description": meaning, **keys[key]} if meaning else keys[key]
            for key, meaning in meanings.items()
        },
    }


def _kind(metric: Metric) -> str:
    """Metrics of one unit are written alike. A reference is a URI: no spaces, no percent sign."""
    return f"register_in_{_SPELLED.get(metric.unit, metric.unit)}"


def _whole(bound: str) -> Schema:
    low, high = BOUNDS[bound]
    return {"type": "integer", "minimum": low, "maximum": high}


def _one_of(words: Iterable[str]) -> Schema:
    return {"enum": list(words)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ids() -> Schema:
    return {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True}


if __name__ == "__main__":
    sys.stdout.write(schema_text())
