"""Of projects with known slips: how many alerts are right, and how many slips are found within three valid photos.

`--projects N` per slip and noise (200), `--sigma PP` one noise instead of several. The noise is the photo model's at a
whole site, one standard deviation; see tests/support/slips.py for what counts as right and as found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import machine

from plumbline_central.deviation import Band

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import slips

GOAL = 0.95


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--projects", type=int, default=200)
    given.add_argument("--sigma", type=float)
    args = given.parse_args()
    for sigma in [args.sigma] if args.sigma else (1.0, 1.5, 2.0, 2.5, 3.0):
        found = slips.study(args.projects, sigma, Band(), (*slips.SLIPS, *slips.ON_THE_LINE))
        total = slips.together(found)
        how = {
            "sigma_pp": sigma,
            "projects": args.projects * len(found),
            "goal": f">= {GOAL} at 2.0",
            "raised_by_slip": {f"{slip:+g}": one.raised for slip, one in sorted(found.items())},
            "from_flagged": total.from_flagged,
        }
        machine.say("deviation_precision", total.precision, "share", **how)
        machine.say("deviation_recall", total.recall, "share", **how)


if __name__ == "__main__":
    main()
