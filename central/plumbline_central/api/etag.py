"""Answers that a program asks for again and again: what has not changed is not sent twice (RFC 9110 8.8.3, 13.1.2)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

from fastapi import Header, Response
from pydantic import TypeAdapter

IfNoneMatch = Annotated[str | None, Header(max_length=1000)]
UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "As the ETag in If-None-Match"}}


def tagged(
    answer: TypeAdapter[Any], value: Any, if_none_match: str | None, link: str | None = None
) -> Response:
    """The value as JSON with its ETag; 304 and nothing where the caller has it already, and the same `link`."""
    body = answer.dump_json(value)
    tag = f'"{hashlib.sha256(body + (link or "").encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"} | ({"Link": link} if link else {})
    known = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
