"""An alert as the code writes it: a window with a cause, and an effect on the model, judged from its counts."""

from __future__ import annotations

import json

import msgspec
import numpy as np

from contracts.alerts import DriftAlert, decode_alert, encode_alert
from contracts.baseline import Baseline
from contracts.binning import Bins
from contracts.dependence import ScoreDependence
from contracts.window import WindowCounts
from stream_app.alerting.judging import Judged, judged
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.drift.rule import CALIBRATED
from stream_app.windowing.closing import Closing
from tests.builders import NOON_MS, a_baseline, reference_columns

HOUR_MS = 3_600_000
ROWS = 1_000


def a_judged_alert() -> DriftAlert:
    """The raise of the window that begins at noon: a third of the distances have come in kilometres since eleven."""
    baseline, state = _baseline(), PolicyState()
    for start in (NOON_MS - HOUR_MS, NOON_MS):
        found = _judged(baseline, start, state)
        state = found.state
    (alert,) = found.alerts
    # Four digits: easier to read in the docs, and the same on a machine whose last digit is another.
    plain = json.loads(encode_alert(alert), parse_float=lambda digits: float(f"{float(digits):.4g}"))
    return decode_alert(json.dumps(plain).encode())


def _judged(baseline: Baseline, start: int, before: PolicyState) -> Judged:
    columns = reference_columns(baseline.schema, ROWS, seed=5)
    columns["distance"][::3] *= 1.609344
    counts = WindowCounts(baseline)
    scores = np.random.default_rng(6).random(ROWS)
    counts.add_columns([columns[feature.name] for feature in baseline.schema.monitored], scores, [None] * ROWS)
    closing = Closing(
        model=baseline.model,
        version=baseline.version,
        baseline=baseline,
        window_start=start,
        window_end=start + HOUR_MS,
        rows=ROWS,
        shadow_rows=0,
        other_rows=0,
        counts=counts,
        merged_windows=0,
        sufficient=True,
        partitions={0: 4711},
    )
    return judged(closing, before, CALIBRATED, PolicyConfig())


def _baseline() -> Baseline:
    """The scores rise with the distance, less so where the other features are as they go with it."""
    plain = a_baseline()
    distance = plain.features["distance"]
    bins = distance.histogram.bins
    assert isinstance(bins, Bins)
    middles = np.clip(np.append(bins.edge_array[:1], bins.edge_array), 50, 200)
    scores, positives = (np.round(low + rise * (middles - 100), 3) for low, rise in ((0.3, 0.001), (0.2, 0.001)))
    known = ScoreDependence(
        bin_starts=tuple(range(bins.size)),
        bin_scores=tuple(scores.tolist()),
        bin_positives=tuple(positives.tolist()),
        at=(50.0, 100.0, 200.0),
        partial=(0.15, 0.3, 0.6),
        partial_positives=(0.1, 0.2, 0.5),
        sample_score=0.3,
        sample_positives=0.2,
    )
    return msgspec.structs.replace(
        plain, features=plain.features | {"distance": msgspec.structs.replace(distance, dependence=known)}
    )
