"""The card's tables as Markdown, between marks in a page that people wrote around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from plumbline.errors import ConfigError
from plumbline.stages import TRACKS
from plumbline_edge.camera import gate
from plumbline_train.card import tables_of
from plumbline_train.evaluate import tables as cuts

_MARK: Final = re.compile(r"(<!-- card: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(page: str, card: Mapping[str, Any]) -> str:
    """The page with the text between each `<!-- card: NAME -->` and `<!-- end -->` made anew.

    Raises ConfigError for a name that nothing is known by.
    """
    known = dict(blocks(card))

    def block(mark: re.Match[str]) -> str:
        name = mark["name"]
        if name not in known:
            raise ConfigError(
                f"the page asks for {name!r} of the card", hint=f"Known are: {', '.join(known)}."
            )
        return f"{mark[1]}\n{known[name]}\n{mark[3]}"

    return _MARK.sub(block, page)


def blocks(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and Markdown of everything a page can ask for."""
    scores = tables_of(card)
    yield "identity", _identity(card)
    yield "limits", "".join(f"- {limit}\n" for limit in card.get("limits", ()))
    yield "training", _training(card.get("trained", {}))
    yield "metrics", _markdown(cuts.metric_table(scores))
    yield "gate", _markdown(cuts.gate_table(scores))
    yield "thresholds", _thresholds(card.get("quality_limits", {}))
    yield "blind", _markdown(cuts.simple_table(scores, "blind.", cuts.BLIND_COLUMNS))
    yield "real site", _markdown(cuts.simple_table(scores, "real.site.", cuts.REAL_SITE_COLUMNS))
    yield "real windows", _markdown(cuts.simple_table(scores, "real.windows.", cuts.REAL_WINDOW_COLUMNS))
    for track in TRACKS:
        for name, cut, columns in (
            ("stages", "by_stage", cuts.STAGE_COLUMNS),
            ("deciles", "by_decile", cuts.DECILE_COLUMNS),
            ("families", "by_family", cuts.FAMILY_COLUMNS),
        ):
            yield f"{name} {track}", _markdown(cuts.cut_table(scores, "unseen_families", track, cut, columns))


def _identity(card: Mapping[str, Any]) -> str:
    height, width = card.get("input_hw", (0, 0))
    rows = [
        ("model", f"{card['name']} {card['version']}, sha256 {card['sha256'][:12]}…"),
        ("input", f"{height} × {width}, the facade seen straight on, today beside day-0"),
        ("size", f"{card.get('bytes', 0) / 1e6:.2f} MB, {card.get('multiply_adds', 0) / 1e9:.2f} GMAC"),
    ]
    return _markdown(iter([("", ""), *rows]))


def _training(trained: Mapping[str, Any]) -> str:
    """The run's facts in one line each; curves and settings as JSON stay in the card."""
    rows = [("fact of the run", "")]
    for key, value in trained.items():
        text = "; ".join(value) if _is_words(value) else str(value)
        if not text.startswith(("[", "{")):
            rows.append((key.replace("_", " "), text.replace("|", "/")))
    return _markdown(iter(rows))


def _thresholds(of_card: Mapping[str, float]) -> str:
    """Every number the gate decides by, as the gateway's code has it, and the model's own limits."""
    rows = [("number", "value", "whose")]
    rows += [
        (f"`{name}`", f"{value:g}", "gate")
        for name, value in vars(gate).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, int | float)
    ]
    limits = {**gate.QUALITY_LIMITS, **of_card}
    rows += [(f"`{name}`", f"{value:g}", "the model's doubt") for name, value in limits.items()]
    return _markdown(iter(rows))


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _markdown(rows: Iterator[tuple[str, ...]]) -> str:
    head, *body = rows
    if not body:
        return "Not measured for this version.\n"
    lines = [head, ("---",) * len(head), *body]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
