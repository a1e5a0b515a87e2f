"""How often a receiver may be written to: a token bucket, with time as an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """At most `capacity` messages at once and `per_s` a second in the long run; `left` as of `at_s`."""

    capacity: float
    per_s: float
    left: float
    at_s: float

    @classmethod
    def full(cls, *, capacity: float, per_s: float, now_s: float) -> Bucket:
        if capacity < 1 or per_s <= 0:
            raise ValueError("a bucket holds at least one message, and fills")
        return cls(capacity=capacity, per_s=per_s, left=capacity, at_s=now_s)

    def taken(self, now_s: float) -> tuple[Bucket, float]:
        """(the bucket after one message, 0), or (the bucket as it is, seconds until there is room)."""
        left = min(self.capacity, self.left + max(now_s - self.at_s, 0) * self.per_s)
        filled = replace(self, left=left, at_s=max(now_s, self.at_s))
        if left >= 1:
            return replace(filled, left=left - 1), 0.0
        return filled, (1 - left) / self.per_s
