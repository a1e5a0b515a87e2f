"""The API's description (OpenAPI), completed: short names, an example of each shape, problems as they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from plumbline_central.api.errors import PROBLEM
from plumbline_central.api.examples import EXAMPLES

_WRITING: Final = ("post", "put")
_WRITERS_ALONE: Final = ("400", "403", "411", "413")
"""What only a request can hear that changes something."""


def describe(api: FastAPI) -> dict[str, Any]:
    """The document of all routes of `api`; made once."""
    if api.openapi_schema is None:
        said = get_openapi(
            title=api.title,
            version=api.version,
            summary="Sites, readings, photos, plans, indicators and alerts of public works",
            description=api.description,
            routes=api.routes,
            tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        )
        for path, verb, operation in _operations(said):
            operation["operationId"] = _name(path, verb)
            operation["responses"] = dict(_answers(operation["responses"], verb))
        for name, shape in said["components"]["schemas"].items():
            if name in EXAMPLES:
                shape["examples"] = [EXAMPLES[name]]
        api.openapi_schema = said
    return api.openapi_schema


_TAGS: Final = {
    "sites": "What is measured at each site.",
    "alerts": "What is wrong, who has it in hand, and what is withheld.",
    "indicators": "What a site is measured by, its values and its score.",
    "plans": "What should be when.",
    "export": "Files for spreadsheets and data tools.",
    "system": "Gateways, gaps, and how central itself does.",
    "live": "What happens, as it happens.",
}


def _operations(said: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, verbs in said["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation


def _name(path: str, verb: str) -> str:
    """`get_sites_site_progress` for GET /api/v1/sites/{site}/progress."""
    words = path.split("/v1/", 1)[-1].replace("{", "").replace("}", "")
    return f"{verb}_" + "".join(letter if letter.isalnum() else "_" for letter in words)


def _answers(responses: dict[str, Any], verb: str) -> Iterator[tuple[str, Any]]:
    for code, answer in responses.items():
        if code in _WRITERS_ALONE and verb not in _WRITING:
            continue
        if code >= "4":
            problem = {"$ref": "#/components/schemas/Problem"}
            yield code, {"description": answer["description"], "content": {PROBLEM: {"schema": problem}}}
        else:
            yield code, answer
