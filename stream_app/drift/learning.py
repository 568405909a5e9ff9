"""Learn natural variation: how far each of the reference's own windows is from the rest of them, feature by feature.

    v_w   = 1/n_w + 1/m_w            n_w rows in window w, m_w in the rest
    e, s2 = mean and variance of statistic / v under sampling alone
    gate  : mean(statistic / v) / e is larger than sampling alone makes it, p < .01; closed: the p of sampling stays
    tau^2 = max(0, mean(statistic) / e - mean(v))                      variance between windows, in units of 1/rows
    x_w   = statistic / (v + tau^2),   M = mean(x_w),   a = M^2 / var(x_w) within bounds

natural.py holds later windows against it. Sampling: PSI and chi-square have f degrees of freedom (e = f, s2 = 2f),
D^2 is the squared supremum of a Brownian bridge; their mean over W windows is taken for gamma distributed (exact for
chi-squares; the normal law, without their skewness, opens twice as often). A rate's squared difference has
e = p (1 - p), or for what the rest never had the rate at which something new is expected. Rates and the peak's excess
have laws without simple moments: their gate is Fisher's combination of the windows' own p-values. The peak varies too
where KS or PSI does: in windows of a thousand rows chance hides how the fullest bin moves along, in larger ones it
would not. The bounds of a keep a few wild windows from hiding everything after them.

Source: the F law is that of a mean square over another one, each with its own degrees of freedom (Satterthwaite,
Biometrics Bulletin 2(6), 1946); the gate of p-values: Fisher, Statistical Methods for Research Workers, 21.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import msgspec
import numpy as np
from scipy import special

from contracts.baseline import Baseline, BridgeTable, Positives, Reference
from contracts.binning import Bins
from contracts.histogram import Histogram
from contracts.variation import LearntNull
from stream_app.drift.bridge_moments import square_moments
from stream_app.drift.distances import Distances, distances_of
from stream_app.drift.metric import Measured
from stream_app.drift.natural import QUADRATIC, scaled, statistic
from stream_app.drift.panel import Flags, Floats, PanelKind
from stream_app.drift.prepared import decisions
from stream_app.drift.rest import rest_of, seen_by

FEWEST_WINDOWS = 20
RECOMMENDED_WINDOWS = 60
FEWEST_VALUES = 30
"""Rows a window needs for a statistic; groups and levels of PSI and chi-square are too sparse below."""
_OPEN_P = 0.01
"""The gate opens for one statistic in a hundred of windows that are samples of one distribution."""
_LEAST_SHAPE = 0.25
_MOST_SHAPE = 2.5
_RATE_SHAPES = (0.15, 0.5)
"""Of a rate: one degree of freedom at most, 2a = 1."""
_LEAST_P = 1e-300


def with_learnt_nulls(
    baseline: Baseline,
    features: Iterable[Iterable[Histogram]],
    scores: Iterable[Histogram],
    decided: Iterable[Positives],
) -> Baseline:
    """The same baseline with what is learnt of each feature, of the score and of the decisions.

    Counts of the reference's own rows over the baseline's bins, no row twice, one entry for each window: `features` has
    those of each monitored feature, in schema order. None or few scores or decisions are no harm. Each is asked for
    once, one feature after the other, so that counts may be made when they are asked for.
    """
    monitored = baseline.schema.monitored
    taught = {
        feature.name: _taught(baseline.features[feature.name], windows)
        for feature, windows in zip(monitored, features, strict=True)
    }
    positives = baseline.natural_positives
    if baseline.positives is not None:
        before = decisions(baseline.positives.rows, baseline.positives.count)
        positives = learn(before, (decisions(one.rows, one.count).histogram for one in decided), "decision")
    score = _taught(baseline.score, scores)
    return msgspec.structs.replace(baseline, features=taught, score=score, natural_positives=positives)


def _taught(reference: Reference, windows: Iterable[Histogram]) -> Reference:
    return msgspec.structs.replace(reference, natural=learn(reference, windows))


def learn(
    reference: Reference, windows: Iterable[Histogram], kind: PanelKind | None = None, at_once: int = 256
) -> dict[str, LearntNull]:
    """The nulls of one feature, of the score or of the decisions, by metric. windows: of the reference's own rows.

    kind: told for decisions; else by the bins. at_once: windows that are in memory together, each with its rest. A
    metric is left out where fewer than 20 windows have 30 rows or more for it.
    """
    kind = kind or ("numeric" if isinstance(reference.bins, Bins) else "categorical")
    blocks, windows = [], iter(windows)
    while some := list(islice(windows, at_once)):
        pairs = [(rest_of(reference, window), window) for window in some if window.rows >= FEWEST_VALUES]
        pairs = [(rest, seen_by(rest, window)) for rest, window in pairs if any(rest.counts)]
        if pairs:
            blocks.append(distances_of(kind, pairs))
    joined = [Distances.joined(parts) for parts in zip(*blocks, strict=True)]
    found = {distances.metric: _null(distances, reference) for distances in joined}
    nulls = {name: null for name, null in found.items() if null is not None}
    if "peak" in nulls and any(nulls[name].varies for name in ("ks", "psi") if name in nulls):
        nulls["peak"] = msgspec.structs.replace(nulls["peak"], varies=nulls["peak"].mean > 0)
    return nulls


def _null(distances: Distances, reference: Reference) -> LearntNull | None:
    metric, measured, rows, variance, expected = distances
    used = rows >= FEWEST_VALUES
    if measured.freedom is not None:
        used &= measured.freedom > 0
    count = int(used.sum())
    if count < FEWEST_WINDOWS:
        return None
    between = 0.0
    if metric in QUADRATIC:
        stat = statistic(metric, measured, variance) / np.where(expected > 0, expected, 1.0)
        between = max(0.0, float(np.mean((stat - variance)[used])))
        opened = _opens(metric, measured, stat / variance, used, reference.bridge)
    else:
        opened = _combined(measured, used)
    x = scaled(metric, measured, variance, between)[used]
    mean = float(x.mean())
    return LearntNull(opened and mean > 0, between, mean, _shape(metric, measured, x), count)


def _opens(name: str, measured: Measured, ratio: Floats, used: Flags, bridge: BridgeTable | None) -> bool:
    """ratio: statistic / (v e), shape (W,)."""
    if name == "ks":
        mean, variance = square_moments(bridge)
        spread = np.full(ratio.size, variance / mean**2)
    elif measured.freedom is not None:
        spread = 2 / np.maximum(measured.freedom, 1)
    else:
        return _combined(measured, used)
    shape = ratio[used].size ** 2 / spread[used].sum()
    return bool(special.gammaincc(shape, shape * ratio[used].mean()) < _OPEN_P)


def _combined(measured: Measured, used: Flags) -> bool:
    """Fisher: -2 sum ln p is chi-square with 2 W degrees of freedom, or smaller where p is cautious."""
    assert measured.p is not None
    p = np.maximum(measured.p[used], _LEAST_P)
    return bool(special.chdtrc(2 * p.size, -2 * np.log(p).sum()) < _OPEN_P)


def _shape(name: str, measured: Measured, x: Floats) -> float:
    least, most = _LEAST_SHAPE, _MOST_SHAPE
    if measured.freedom is not None:
        most = max(float(np.median(measured.freedom)) / 2, least)
    elif name in QUADRATIC and name != "ks":
        least, most = _RATE_SHAPES
    variance = float(x.var(ddof=1))
    return float(np.clip(x.mean() ** 2 / variance, least, most)) if variance > 0 else most
