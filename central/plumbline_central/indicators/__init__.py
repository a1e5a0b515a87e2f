"""What a site is measured by: its indicators, their plans, what was seen of them, and the score that follows."""

from plumbline_central.indicators.observed import Curve, Indicators, Observation, Standing

__all__ = ["Curve", "Indicators", "Observation", "Standing"]
