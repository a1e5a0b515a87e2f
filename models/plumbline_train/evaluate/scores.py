"""The arithmetic behind a card's figures: order, error, coverage; arrays in, numbers out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def kendall_tau(one: Any, other: Any) -> float:
    """Kendall's tau-b of two rows of values: 1 where both order alike, -1 where they order against each other.

    Pairs tied in one row count against it as (P - Q) / sqrt((n0 - ties_one)(n0 - ties_other)) says (Kendall 1945), so
    a row that never moves says nothing: NaN. Pairs with a NaN are left out with their value.
    """
    a, b = np.asarray(one, float), np.asarray(other, float)
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    first, second = np.triu_indices(a.size, 1)
    da, db = np.sign(a[first] - a[second]), np.sign(b[first] - b[second])
    moves = float(np.sqrt((da != 0).sum() * (db != 0).sum()))
    return float((da * db).sum()) / moves if moves else float("nan")


def mean_abs(off: Any) -> float:
    """The mean distance from nothing, NaN left out; NaN where there is none."""
    values = _known(off)
    return float(np.abs(values).mean()) if values.size else float("nan")


def mean(values: Any) -> float:
    """The mean, NaN left out; NaN where there is none."""
    known = _known(values)
    return float(known.mean()) if known.size else float("nan")


def abs_quantile(off: Any, share: float) -> float:
    """The distance that `share` of the values keep within; NaN left out."""
    values = _known(off)
    return float(np.quantile(np.abs(values), share)) if values.size else float("nan")


def coverage(low: Any, high: Any, true: Any) -> float:
    """How often the truth lies in its interval, edges included; where there is no interval it counts neither way."""
    a, b, truth = (np.asarray(values, float).ravel() for values in (low, high, true))
    known = ~(np.isnan(a) | np.isnan(b))
    return float(((a <= truth) & (truth <= b))[known].mean()) if known.any() else float("nan")


def majority_stage(stages: Any) -> NDArray[np.int64]:
    """The stage that holds most of a zone's area, of its continuous stage 0..7.

    At 3.4 four tenths of the zone are at stage 4 and the rest at 3, so it is 3; at exactly one half the later one.
    """
    return np.asarray(np.floor(np.asarray(stages, float) + 0.5), np.int64)


def stage_of_percent(percent: Any, values: Any) -> NDArray[np.int64]:
    """The majority stage of a zone that is `percent` done, by its stages' cumulative values; -1 for NaN."""
    shares = np.asarray(percent, float) / 100
    stages = majority_stage(
        np.interp(np.nan_to_num(shares), np.asarray(values, float), np.arange(len(values)))
    )
    return np.where(np.isnan(shares), -1, stages)


def correlation(one: Any, other: Any) -> float:
    """Pearson's r; NaN where a row never moves or holds fewer than two values."""
    a, b = np.asarray(one, float), np.asarray(other, float)
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    if a.size < 2 or a.std() < 1e-9 or b.std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _known(values: Any) -> Floats:
    flat = np.asarray(values, float).ravel()
    return np.asarray(flat[~np.isnan(flat)])
