"""What each ingredient is worth: the same training without it, for as long, judged on the same sites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from plumbline.stages import TRACKS
from plumbline_train.evaluate.courses import DAYS
from plumbline_train.evaluate.run import unseen_tables
from plumbline_train.export import export
from plumbline_train.train import Settings, train

FIGURES: Final = (
    "photo_site_mae_pp",
    "photo_zone_mae_pp",
    "photo_stage_exact",
    "photo_stage_within_1",
    "photo_tau",
)

Tables = Mapping[str, Mapping[str, float]]
Report = Callable[[float, str], None]


def variants(settings: Settings) -> dict[str, Settings]:
    """The whole, and the whole less one ingredient each."""
    return {
        "whole": settings,
        "without day-0": replace(settings, day0=False),
        "without real photos": replace(settings, real=False),
        "without ranking": replace(settings, weights=replace(settings.weights, ranking=0.0)),
        "without consistency": replace(settings, weights=replace(settings.weights, consistency=0.0)),
    }


def ablate(
    out: Path, settings: Settings, *, sites: int, shots: int, workers: int, report: Report
) -> dict[str, Tables]:
    """Train and judge each variant; one that is done is judged anew and not trained again."""
    tables: dict[str, Tables] = {}
    every = variants(settings)
    for number, (name, setting) in enumerate(every.items()):
        folder = out / name.replace(" ", "_")

        def told(share: float, line: str, number: int = number, name: str = name) -> None:
            report((number + share) / len(every), f"{name}: {line}")

        train(folder, setting, told, samples=out / "samples", workers=workers)
        export(folder / "weights.pt", folder / "model.onnx")
        told(1.0, "judging")
        tables[name] = unseen_tables(
            folder / "model.onnx", sites=sites, every=max(1, DAYS // shots), processes=workers or 1
        )
    return tables


def rows(tables: Mapping[str, Tables]) -> list[tuple[str, ...]]:
    """(variant, track, figures…) on families never seen, with a header row."""
    found: list[tuple[str, ...]] = [("trained", "track", *FIGURES)]
    for name, judged in tables.items():
        for track in TRACKS:
            figures = judged[f"unseen_families.{track}"]
            found.append((name, track, *(f"{figures[figure]:.3f}" for figure in FIGURES)))
    return found
