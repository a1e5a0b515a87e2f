"""How every list is asked for: `limit` and `cursor` piece by piece, `start` and `end` by time.

A list's answer is a bare list. While more may follow, the header `Link` holds the address of the next piece (RFC 8288),
which goes on after the last item that was sent: what comes or goes meanwhile neither doubles nor hides another.
"""

# no `from __future__ import annotations`: those in `paged` name what only its caller knows

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Request, Response

from plumbline_central.api.errors import Unreadable
from plumbline_central.api.times import Moment

T = TypeVar("T")
Key = tuple[int | float | str, ...]
"""What says where an item stands in its list."""
_LARGEST: Final = 2**53
"""No number and no time in microseconds is larger; beyond 9999 there are no times at all."""
LISTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "headers": {
            "Link": {
                "description": '`<address>; rel="next"` while more may follow.',
                "schema": {"type": "string"},
            }
        }
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which piece of a list is wanted."""

    limit: int
    after: Key | None
    """Where the last item of the piece before stands; None: from the beginning."""
    request: Request
    response: Response

    @property
    def enough(self) -> int:
        """How many items to fetch: one more tells whether there is a next piece."""
        return self.limit + 1

    def cut(
        self, items: Iterable[T], key: Callable[[T], Key] | None = None, *, falling: bool = False
    ) -> list[T]:
        """The piece of `items`, which come in the order of `key`, rising or falling; with no key they only ever grow.

        Notes the address of the next piece. Raises Unreadable for a cursor of another list.
        """
        found: list[tuple[Key, T]] = []
        for position, item in enumerate(items):
            at = key(item) if key else (position,)
            try:
                if self.after is not None and (at >= self.after if falling else at <= self.after):
                    continue
            except TypeError:
                raise _foreign() from None
            if len(found) == self.limit:
                self._note_next(found[-1][0])
                break
            found.append((at, item))
        return [item for _, item in found]

    def after_numbers(self, many: int) -> tuple[int, ...] | None:
        """The cursor of a list whose items stand by so many whole numbers. Raises Unreadable."""
        if self.after is None:
            return None
        numbers = tuple(part for part in self.after if isinstance(part, int) and 0 <= part < _LARGEST)
        if len(numbers) != many or len(self.after) != many:
            raise _foreign()
        return numbers

    def after_named(self) -> tuple[int, str] | None:
        """The cursor of a list whose items stand by a time in microseconds and a name. Raises Unreadable."""
        match self.after:
            case None:
                return None
            case (int(at_us), str(name)) if 0 <= at_us < _LARGEST:
                return at_us, name
        raise _foreign()

    @property
    def link(self) -> str | None:
        """The header that was noted."""
        return self.response.headers.get("link")

    def _note_next(self, last: Key) -> None:
        url = self.request.url.include_query_params(cursor=_written(last))
        self.response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


@dataclass(frozen=True, slots=True)
class Between:
    """A range of time, `start <= at < end`; None: open."""

    start: datetime | None
    end: datetime | None

    def holds(self, at: datetime) -> bool:
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)

    def last_day(self, now: datetime) -> tuple[datetime, datetime]:
        """Both ends: what is left out is `now`, and a day before the end. Raises Unreadable."""
        end = self.end or now
        start = self.start or end - timedelta(days=1)
        if start > end:
            raise Unreadable("start lies ahead", hint="Give an end after it too, or an earlier start.")
        return start, end

    def meets(self, begin: datetime | None, until: datetime | None) -> bool:
        """Whether something that lasts from `begin` to `until` falls into it; what nobody knows may."""
        return (begin is None or self.end is None or begin < self.end) and (
            until is None or self.start is None or until >= self.start
        )


def paged(usual: int, most: int) -> Callable[..., Page]:
    """What makes the page that a request asks for: `usual` items where it does not say how many, never more than `most`."""

    def page(
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=most, description="At most so many items.")] = usual,
        cursor: Annotated[
            str | None,
            Query(max_length=2_000, description="Where to go on; from the `Link` of the piece before."),
        ] = None,
    ) -> Page:
        after = None if cursor is None else _read(cursor)
        return Page(limit=limit, after=after, request=request, response=response)

    return page


def _between(
    start: Annotated[Moment | None, Query(description="From then on.")] = None,
    end: Annotated[Moment | None, Query(description="Before then.")] = None,
) -> Between:
    if start is not None and end is not None and start > end:
        raise Unreadable("start is after end", hint="Exchange them.")
    return Between(start, end)


PageDep = Annotated[Page, Depends(paged(1_000, 10_000))]
BetweenDep = Annotated[Between, Depends(_between)]


def _written(key: Key) -> str:
    text = json.dumps(key, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str) -> Key:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = json.loads(raw)
        json.dumps(key, ensure_ascii=False).encode()
    except (binascii.Error, ValueError, RecursionError):  # no base64, no UTF-8, no JSON, or half a character
        raise _foreign() from None
    if not isinstance(key, list) or not all(isinstance(part, (int, float, str)) for part in key):
        raise _foreign()
    return tuple(key)


def _foreign() -> Unreadable:
    return Unreadable(
        "the cursor is none of this list", hint="Take the address in the `Link` header as it is."
    )
