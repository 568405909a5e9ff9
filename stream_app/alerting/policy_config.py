"""The numbers of the alert policy, checked. What each does is in policy.py; which to choose in docs/alerts.md."""

from __future__ import annotations

from math import isfinite

import msgspec


class InvalidPolicy(ValueError):
    """A policy that contradicts itself; the text names the setting and the fix."""


class PolicyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When to page, to remind and to resolve, in compared windows, and what is critical.

    critical_effect: a feature whose effect (KS distance, or largest change of a level's share) reaches this is
    critical. critical_rate_jump: so is one whose rate of missing, out-of-range or unseen values rose by this much, and
    critical_score_change: one that is expected to change the mean score by this much, up or down. The last is five
    times what is called harmless: where a tenth of the answers are positive, a mean that moved by .05 has moved by
    half of what there is.
    page_harmless: drift that does the model no harm pages too. remind_after_ms: an incident that goes on is said again
    when so much of the windows' own time has passed since its last alert; 0 is never.
    """

    page_after: int = 2
    of_last: int = 3
    resolve_after: int = 3
    critical_effect: float = 0.25
    critical_rate_jump: float = 0.5
    critical_score_change: float = 0.05
    page_harmless: bool = False
    remind_after_ms: int = 0

    def __post_init__(self) -> None:
        for name in ("page_after", "of_last", "resolve_after"):
            if (value := getattr(self, name)) < 1:
                raise InvalidPolicy(f"{name}={value}: it counts windows and must be at least 1")
        if self.page_after > self.of_last:
            raise InvalidPolicy(
                f"page_after={self.page_after} is greater than of_last={self.of_last}: a feature cannot alarm in "
                f"{self.page_after} of {self.of_last} windows; lower page_after or raise of_last"
            )
        for name in ("critical_effect", "critical_rate_jump", "critical_score_change"):
            size = getattr(self, name)
            if not (isfinite(size) and 0 < size <= 1):
                raise InvalidPolicy(f"{name}={size}: it must be above 0 and at most 1")
        if self.remind_after_ms < 0:
            raise InvalidPolicy(f"remind_after_ms={self.remind_after_ms}: it must be 0 (never) or more")
