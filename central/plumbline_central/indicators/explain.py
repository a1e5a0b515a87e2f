"""A score in words: the sum that can be done by hand, down to each observation, plan version and weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from plumbline_central.indicators.score import Part, Score

Language = Literal["zh", "en"]
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "zh": {
        "score": "{site}，{at:%Y-%m-%d %H:%M} UTC：得分 {score:.2f}（满分 100），依据全部权重的 {rests_on:.0%}",
        "no_score": "{site}，{at:%Y-%m-%d %H:%M} UTC：没有得分，尚无任何数据",
        "part": "  {name}（权重 {weight:g}）：{seen}，{planned}；{result}",
        "seen": "{value:g} {unit}，{at:%Y-%m-%d %H:%M} UTC [{ref}]",
        "no_value": "没有有效数值",
        "planned": "计划 {planned:g} {unit} [{scope}计划，第 {version} 版]",
        "nothing_planned": "没有计划值",
        "counted": "达成度 {attainment:.2f} × 份额 {share:.4f} = {contribution:.2f}",
        "left_out": "未计入：{why}",
        "visible": "可见工程",
        "total": "全部工程",
        "why.no_value": "没有有效数值",
        "why.stale": "数值已过时",
        "why.no_plan": "没有计划",
        "why.not_due": "计划尚未开始",
    },
    "en": {
        "score": "{site} at {at:%Y-%m-%d %H:%M} UTC: score {score:.2f} of 100, on {rests_on:.0%} of the weights",
        "no_score": "{site} at {at:%Y-%m-%d %H:%M} UTC: no score, nothing is known",
        "part": "  {name} (weight {weight:g}): {seen}, {planned}; {result}",
        "seen": "{value:g} {unit} at {at:%Y-%m-%d %H:%M} UTC [{ref}]",
        "no_value": "no value that counts",
        "planned": "planned {planned:g} {unit} [{scope} plan, version {version}]",
        "nothing_planned": "nothing planned",
        "counted": "attainment {attainment:.2f} × share {share:.4f} = {contribution:.2f}",
        "left_out": "left out: {why}",
        "visible": "visible works",
        "total": "total works",
        "why.no_value": "no value that counts",
        "why.stale": "its value is too old",
        "why.no_plan": "no plan",
        "why.not_due": "its plan has not begun",
    },
}


def explain(scored: Score, language: Language = "en") -> list[str]:
    """One line for the whole and one for each indicator."""
    words = _WORDS[language]
    whole = words["no_score" if scored.score is None else "score"].format(
        site=scored.site, at=scored.at, score=scored.score, rests_on=scored.rests_on
    )
    return [whole, *(_line(part, language) for part in scored.parts)]


def _line(part: Part, language: Language) -> str:
    words, one, point = _WORDS[language], part.indicator, part.point
    seen, planned = words["no_value"], words["nothing_planned"]
    if point is not None:
        seen = words["seen"].format(value=point.value, unit=one.unit, at=point.at, ref=point.ref)
        if point.planned is not None:
            planned = words["planned"].format(
                planned=point.planned, unit=one.unit, scope=words[part.scope], version=part.plan_version
            )
    result = (
        words["left_out"].format(why=words[f"why.{part.left_out}"])
        if part.left_out
        else words["counted"].format(
            attainment=part.attainment, share=part.share, contribution=part.contribution
        )
    )
    name = one.name_zh if language == "zh" else one.name_en
    return words["part"].format(name=name, weight=one.weight, seen=seen, planned=planned, result=result)
