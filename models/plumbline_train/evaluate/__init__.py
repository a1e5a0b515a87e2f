"""How good a model is on sites it never saw: renders, the gateway's own chain, and the figures of its card."""

from __future__ import annotations

from plumbline_train.evaluate.looking import Judge

__all__ = ["Judge"]
