"""The cause of a categorical feature's drift: which level is new, gone, renamed, or taken more or less than before."""

from __future__ import annotations

import numpy as np

from contracts.baseline import Reference
from contracts.binning import Levels
from contracts.findings import Cause
from contracts.histogram import Histogram
from contracts.reports import Finding
from stream_app.drift.cause.level_words import LevelWords
from stream_app.drift.cause.points import Floats

_NEW_SHARE, _NEW_ROWS = 0.005, 5
_KNOWN_SHARE, _EXPECTED, _LEFT_OVER = 0.01, 15.0, 0.1
_CHANGED, _STANDARD_ERRORS = 0.02, 3.0
_TIE = 1e-9
"""Of two levels one grows by what the other shrinks by; rounding does not choose."""
_SAME = 3.0
"""Two shares are the same within so many standard errors."""


class Shares:
    """A feature's levels before and now. p, q: shares of the bins; error: the standard error of their difference."""

    def __init__(self, reference: Reference, levels: Levels, window: Histogram) -> None:
        before = np.array(reference.counts, dtype=np.float64)
        self.n, m = float(window.known), float(before.sum())
        self.p: Floats = before / m
        self.q: Floats = window.counts / self.n
        pooled = (before + window.counts) / (self.n + m)
        self.error: Floats = np.sqrt(np.maximum(pooled * (1 - pooled), 1 / (self.n + m)) * (1 / self.n + 1 / m))
        self.named = levels.other
        self.unseen = float(self.q[levels.unseen])
        self.unseen_rows = int(window.counts[levels.unseen])
        self.z: Floats = (self.q - self.p) / self.error

    def grown(self) -> int | None:
        """The bin whose share rose by most standard errors, OTHER included and UNSEEN not."""
        return self._strongest(self.z[: self.named + 1])

    def shrunk(self) -> int | None:
        """The bin whose share fell by most standard errors."""
        return self._strongest(-self.z[: self.named + 1])

    def gone(self) -> list[int]:
        """Levels that are all but gone, the most frequent first: below a tenth of what the others, after the level
        that took over most, have left of them."""
        grown = self.grown()
        if np.count_nonzero(self.p[: self.named]) == 2:  # what one of two takes over, the other loses
            grown = None
        taken = 0.0 if grown is None else (self.q[grown] - self.p[grown]) / max(1 - self.p[grown], 1e-9)
        expected = self.p[: self.named] * (1 - max(taken, self.unseen))
        known = (self.p[: self.named] >= _KNOWN_SHARE) & (self.n * expected >= _EXPECTED)
        gone = np.flatnonzero(known & (self.q[: self.named] < _LEFT_OVER * expected))
        return [int(b) for b in gone[np.argsort(-self.p[gone], kind="stable")]]

    def as_much(self, gained: float, lost: list[int]) -> bool:
        """Whether a share is what the levels `lost` have lost, but for chance."""
        loss = float((self.p[lost] - self.q[lost]).sum())
        return abs(gained - loss) < _SAME * float(np.sqrt((self.error[lost] ** 2).sum() * 2))

    def _strongest(self, z: Floats) -> int | None:
        large = np.abs(self.q - self.p)[: z.size] > _CHANGED
        at = int(np.where(large, z, -np.inf).argmax())
        return at if large[at] and z[at] > _STANDARD_ERRORS else None


def categorical_cause(
    reference: Reference, levels: Levels, window: Histogram, findings: tuple[Finding, ...], name: str
) -> Cause | None:
    """reference, window: over `levels`, with at least one value each. None where their shares do not differ."""
    shares, words = Shares(reference, levels, window), LevelWords(name, levels)
    p, q, rows = shares.p, shares.q, window.known / window.rows
    gone = shares.gone()
    if "unseen" in findings or (shares.unseen > _NEW_SHARE and shares.unseen_rows >= _NEW_ROWS):
        if gone and shares.as_much(shares.unseen, gone):
            sentence = words.renamed(gone, float(p[gone].sum()), float(q[gone].sum()), shares.unseen)
            return Cause(kind="renamed", sentence=sentence, share=shares.unseen * rows, value=levels.levels[gone[0]])
        return Cause(kind="new_level", sentence=words.new(shares.unseen), share=shares.unseen * rows)
    grown = shares.grown()
    if gone:
        first, instead, to = gone[0], "", None
        if grown is not None and grown < levels.other and shares.as_much(float(q[grown] - p[grown]), gone):
            instead, to = words.took_it(grown, float(p[grown]), float(q[grown])), levels.levels[grown]
        return Cause(
            kind="vanished_level",
            sentence=words.gone(first, float(p[first]), float(q[first]), instead),
            share=float(p[first] - q[first]) * rows,
            value=levels.levels[first],
            to=to,
        )
    shrunk = shares.shrunk()
    # One level that grows takes a little from each other one: its own change is the largest
    if grown is not None and (shrunk is None or shares.z[grown] >= -shares.z[shrunk] - _TIE):
        return Cause(
            kind="grown_level",
            sentence=words.changed(grown, float(p[grown]), float(q[grown])),
            share=float((q[grown] - p[grown]) / (1 - p[grown])) * rows,
            value=_name(levels, grown),
        )
    if shrunk is not None:
        return Cause(
            kind="shrunk_level",
            sentence=words.changed(shrunk, float(p[shrunk]), float(q[shrunk])),
            share=float(p[shrunk] - q[shrunk]) * rows,
            value=_name(levels, shrunk),
        )
    if not {"values", "unseen", "positives"}.intersection(findings):
        return None
    most = int(np.abs(shares.z[: levels.unseen]).argmax())
    return Cause(
        kind="reshaped",
        sentence=words.reshaped(most, float(p[most]), float(q[most])),
        share=0.5 * float(np.abs(q - p).sum()) * rows,
    )


def _name(levels: Levels, at: int) -> str | None:
    """The level of a bin; None for the rarest ones together."""
    return levels.levels[at] if at < levels.other else None
