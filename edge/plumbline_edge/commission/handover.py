"""The handover file: one page that prints, holds the same as JSON, and is signed with the gateway's key."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from plumbline.errors import Refused

_DOMAIN: Final = b"plumbline-handover-1\n"
_JSON: Final = re.compile(r'<script type="application/json" id="handover">(.*?)</script>', re.DOTALL)
_SIGNATURE: Final = re.compile(r'<code id="signature">([0-9a-f]{128})</code>')
_MARKS: Final = {"ok": "✓", "warning": "!", "fault": "✗"}
_STYLE: Final = """
body{font:15px/1.45 system-ui,sans-serif;color:#1b1f24;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .2rem} h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
table{border-collapse:collapse;width:100%} th,td{text-align:left;padding:.3rem .6rem .3rem 0;vertical-align:top;border-bottom:1px solid #d8dde3}
th{font-weight:600} .ok{color:#1a6b33} .warning{color:#8a5a00} .fault{color:#b3261e;font-weight:600} small,.hint{color:#57606a}
code{font:12px/1.4 ui-monospace,monospace;overflow-wrap:anywhere} td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
.sign{display:flex;gap:3rem;margin-top:2.5rem} .sign div{flex:1;border-top:1px solid #1b1f24;padding-top:.3rem}
@media print{body{margin:0;max-width:none;font-size:12px} h2,tr{break-inside:avoid}}
"""


def statement(document: str) -> bytes:
    """What is signed: the embedded JSON, byte for byte."""
    return _DOMAIN + document.encode()


def as_document(content: Mapping[str, Any]) -> str:
    """The JSON that is embedded; ASCII, and nothing in it can end the element it stands in."""
    return (
        json.dumps(content, sort_keys=True, separators=(",", ":"))
        .replace("<", "\\u003c")
        .replace("&", "\\u0026")
    )


def page(document: str, signature: str) -> str:
    """The whole file, from its JSON alone: the same JSON gives the same page."""
    return "".join(f"{line}\n" for line in _lines(json.loads(document), document, signature))


def checked(
    text: str, verify: Callable[[str, bytes, bytes], None], public: str | None = None
) -> dict[str, Any]:
    """What a handover file says, if it is unchanged. Raises Refused.

    `verify` raises Refused for a wrong signature. Without `public`, the key is the one that the file itself names:
    that proves that nothing was changed, not who wrote it.
    """
    found, signed = _JSON.search(text), _SIGNATURE.search(text)
    if found is None or signed is None:
        raise Refused(
            "this is no handover file of Plumbline", hint="Take the file that doctor --report wrote."
        )
    document = found[1]
    try:
        content = json.loads(document)
        key = str(content["public_key"])
    except (ValueError, TypeError, KeyError):
        raise Refused(
            "the data in the handover file cannot be read", hint="Take an unchanged copy."
        ) from None
    if public is not None and key != public.lower():
        raise Refused(f"signed by another gateway's key, {key}", hint="Compare it with the key at central.")
    verify(key, statement(document), bytes.fromhex(signed[1]))
    if page(document, signed[1]) != text:
        raise Refused(
            "its data are signed, but the visible page is not what they say, or another version wrote it",
            hint="Trust the embedded JSON only, or check with the version that it names.",
        )
    return dict(content)


def _lines(content: Mapping[str, Any], document: str, signature: str) -> Iterator[str]:
    title = f"Handover: gateway {_t(content['gateway'])}, site {_t(content['site'])}"
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{title}</h1>"
    yield f"<p>{_t(content['at'])} (clock: {_t(content['clock'])}) · Plumbline {_t(content['version'])} · {_t(content['system'])}</p>"
    yield f"<p>Public key <code>{_t(content['public_key'])}</code></p>"
    yield "<h2>What was checked</h2>"
    yield from _table(("", "what", "found", "what to do"), map(_finding, content["findings"]))
    if content["meters"]:
        yield "<h2>Meters</h2>"
        heads = ("meter", "bus", "number", "profile", "requests", "ms", "errors")
        yield from _table(heads, map(_meter, content["meters"]))
        yield "<h2>First values</h2>"
        yield from _table(("meter", "value", "", "quality"), _values(content["meters"]))
    yield "<h2>Signatures</h2>"
    yield "<p><small>The gateway signed the data in this file with its own key (Ed25519). Check it with"
    yield "<code>plumbline edge doctor --verify FILE --key PUBLIC-KEY</code>.</small></p>"
    yield f'<p><code id="signature">{_t(signature)}</code></p>'
    yield '<div class="sign"><div>Installed by, date</div><div>Accepted by, date</div></div>'
    yield f'<script type="application/json" id="handover">{document}</script>'
    yield "</body>\n</html>"


def _table(heads: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    yield "<table>"
    yield f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    yield from rows
    yield "</table>"


def _finding(one: Mapping[str, Any]) -> str:
    level = _t(one["level"])
    mark = _MARKS.get(str(one["level"]), "?")
    return (
        f'<tr><td class="{level}">{mark} {level}</td><td>{_t(one["what"])}</td><td>{_t(one["said"])}</td>'
        f'<td class="hint">{_t(one["hint"])}</td></tr>'
    )


def _meter(one: Mapping[str, Any]) -> str:
    errors = (
        ", ".join(f"{kind} {count}" for kind, count in one["errors"].items())
        or one.get("error", "")
        or "none"
    )
    cells = (one["name"], one["bus"], one["whom"], one["profile"])
    return (
        f'<tr>{"".join(f"<td>{_t(cell)}</td>" for cell in cells)}<td class="n">{_t(one["requests"])}</td>'
        f'<td class="n">{_t(one["ms"])}</td><td>{_t(errors)}</td></tr>'
    )


def _values(meters: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for meter in meters:
        for value in meter["values"]:
            shown = "no value" if value["value"] is None else f"{value['value']} {value['unit']}"
            quality = f"{value['quality']} {value['reason']}".strip()
            yield (
                f'<tr><td>{_t(meter["name"])}</td><td>{_t(value["metric"])}</td><td class="n">{_t(shown)}</td>'
                f"<td>{_t(quality)}</td></tr>"
            )


def _t(text: object) -> str:
    return html.escape(str(text))
