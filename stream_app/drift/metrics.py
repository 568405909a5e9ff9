"""METRICS: every metric there is. To add one: a file with a class that fits `Metric`, and a line here.

A metric that decides about alarms also needs a part in the rule (rule.py); without one it is only reported. The first
metric of a kind measures the effect of a feature's change, on a scale of 0 to 1.
"""

from __future__ import annotations

from stream_app.drift.chi2 import ChiSquare
from stream_app.drift.ks import Ks
from stream_app.drift.level_shift import LevelShift
from stream_app.drift.metric import Metric
from stream_app.drift.peak import Peak
from stream_app.drift.psi import Psi
from stream_app.drift.rates import Missing, OutOfRange, Positives, Unseen

METRICS: tuple[type[Metric], ...] = (Ks, LevelShift, Psi, Peak, ChiSquare, Missing, OutOfRange, Unseen, Positives)
