"""How likely a window's counts are under an explanation, and the best share of rows for it.

Every explanation of a window says which share q_b of its known values each bin b should hold. Its log-likelihood is
sum_b c_b ln((1 - d) q_b + d / B): a stray value in a bin that the explanation leaves empty costs much, not everything.
The reference is a sample, too: gains are taken times m / (n + m), as if the window were so small that
its noise is that of both.
"""

from __future__ import annotations

import numpy as np

from contracts.baseline import Reference
from contracts.histogram import Histogram
from stream_app.drift.cause.points import Floats

_STRAY = 0.002
_EM_STEPS, _NEWTON_STEPS = 3, 8


class Likelihood:
    """Of one window. counts: c, shape (B,); n: their sum; before: the reference's shares, shape (B,)."""

    def __init__(self, reference: Reference, window: Histogram) -> None:
        counts = np.array(reference.counts, dtype=np.float64)
        m = self._m = max(float(counts.sum()), 1.0)
        self.counts: Floats = window.counts.astype(np.float64)
        self.n = float(self.counts.sum())
        self.before: Floats = counts / m
        self._occupied = np.flatnonzero(self.counts)
        self._own = self.counts[self._occupied]
        self.stray = _STRAY / counts.size
        self.scale = m / (self.n + m)
        self._base = self._loud(self.before)
        self._unchanged = float(self._own @ np.log(self._base))

    @property
    def shares(self) -> Floats:
        """The window's own shares, shape (B,)."""
        return self.counts / self.n

    @property
    def most(self) -> float:
        """What could be gained at best: the gain of the window's own shares, less what pure chance would gain.

        Chance gains about one half for each bin that expects a row or more.
        """
        own = float(self._own @ np.log(self._loud(self.shares)))
        return float(self.scale * (own - self._unchanged) - self.chance)

    @property
    def chance(self) -> float:
        """What the window's own shares gain when nothing has changed, on average; its standard deviation is about the
        root of it."""
        return 0.5 * float(np.minimum(1.0, self.n * self.before).sum())

    @property
    def blur(self) -> float:
        """What the noise of the reference's own shares does to a gain: two images of one truth differ by about its
        root. Each occupied bin's share is known to 1 / sqrt(its count), so it is n / m for each."""
        return self.n / self._m * float((self.before > 0).sum())

    def gains(self, images: Floats) -> Floats:
        """Gain of each explanation; images: shares, shape (explanations, B)."""
        gains: Floats = self.scale * (np.log(self._loud(images)) @ self._own - self._unchanged)
        return gains

    def mixed(self, images: Floats) -> tuple[Floats, Floats]:
        """The best share h of rows for each image T, window = (1 - h) reference + h T, and its gain.

        ln L is concave in h: Newton's method on its derivative, kept inside a shrinking bracket, after a few steps of
        expectation maximisation (Dempster, Laird and Rubin, J. R. Statist. Soc. B 39(1), 1977), which find the scale
        of a small share sooner.
        """
        difference = self._loud(images) - self._base
        low, high = np.zeros(len(images)), np.ones(len(images))
        share = np.full(len(images), 0.25)
        for _ in range(_EM_STEPS):
            share = (
                share * (((self._base + difference) / (self._base + share[:, None] * difference)) @ self._own) / self.n
            )
        for _ in range(_NEWTON_STEPS):
            ratio = difference / (self._base + share[:, None] * difference)
            slope = ratio @ self._own
            low, high = np.where(slope > 0, share, low), np.where(slope > 0, high, share)
            step = share + slope / np.maximum((ratio * ratio) @ self._own, 1e-300)
            share = np.where((step > low) & (step < high), step, (low + high) / 2)
        mixtures = np.log(self._base + share[:, None] * difference)
        gain: Floats = self.scale * (mixtures @ self._own - self._unchanged)
        return share, gain

    def loud(self, shares: Floats) -> Floats:
        """Shares with strays."""
        loud: Floats = (1 - _STRAY) * shares + self.stray
        return loud

    def _loud(self, shares: Floats) -> Floats:
        """Shares of the occupied bins with strays; along the last axis."""
        return self.loud(shares[..., self._occupied])
