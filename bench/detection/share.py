"""Share: so many of so many, with the interval that says how well it is known."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from scipy import stats


class Share(msgspec.Struct, frozen=True):
    """hits of `of` trials."""

    hits: int
    of: int

    @classmethod
    def of_all(cls, trials: Iterable[bool]) -> Share:
        """How many of the trials are true."""
        every = list(trials)
        return cls(sum(every), len(every))

    def __add__(self, other: Share) -> Share:
        return Share(self.hits + other.hits, self.of + other.of)

    @property
    def rate(self) -> float:
        """hits / of; 0 without a trial."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % Wilson interval (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
        if not self.of:
            return 0.0, 1.0
        found = stats.binomtest(self.hits, self.of).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.rate:.2%} [{low:.2%}, {high:.2%}]"


NONE = Share(0, 0)


def total(shares: Iterable[Share]) -> Share:
    """All trials together."""
    together = NONE
    for share in shares:
        together += share
    return together
