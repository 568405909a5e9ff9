"""What learning costs where windows are samples of one distribution, and what it saves where they vary."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from bench.benchmark import Say
from bench.days.flights import RULES
from bench.days.made_up import ROWS, WINDOWS, Source
from bench.detection.drifts import shifted
from bench.detection.features import named
from bench.detection.power import CONTINUOUS, SPREAD
from bench.detection.share import NONE, Share
from bench.offline import pages

SHIFT = 0.2
VARYING = tuple(name for name in CONTINUOUS if name not in ("bounded", "uniform"))
"""Without those that have a range on both sides: what moves them puts them out of it."""
LARGER = 5 * ROWS


class IidFigures(msgspec.Struct, frozen=True):
    """Windows that are samples of one distribution; shares of windows with the learnt null and with sampling alone.

    power: one feature is moved by .2 sd and alarms; mean over the features. gates_open: share of the statistics that
    vary, as the learning holds; it means to be wrong in 1 %.
    """

    false_alarms_learnt: float
    false_alarms_sampling: float
    power_learnt: float
    power_sampling: float
    power_lost_points: float
    gates_open: float
    quiet_windows: int
    shifted_windows: int


class VaryingFigures(msgspec.Struct, frozen=True):
    """Windows with effects of their own, N(0, .2 sd); shares of windows that alarm. pages: that bring an alert of the
    default policy. larger: windows of 5,000 rows, learnt from windows of 1,000."""

    features: int
    false_alarms_learnt: float
    false_alarms_sampling: float
    pages_learnt: float
    pages_sampling: float
    false_alarms_larger_learnt: float
    false_alarms_larger_sampling: float
    windows: int


class CostFigures(msgspec.Struct, frozen=True):
    """iid: nothing varies. one_varies, ten_vary: one feature, or ten."""

    iid: IidFigures
    one_varies: VaryingFigures
    ten_vary: VaryingFigures


def cost(seed: int, references: int, windows: int, say: Say) -> CostFigures:
    """Measure it. windows: of each reference and kind; a fifth as many of each shifted feature."""
    say(f"\nmade-up windows of {ROWS:,} rows, learnt from {WINDOWS}; {references} references")
    iid = _iid(seed, references, windows)
    say(
        f"  nothing varies: false alarms {iid.false_alarms_learnt:.2%} (sampling {iid.false_alarms_sampling:.2%}), "
        f"power at +{SHIFT} sd {iid.power_learnt:.2%} (sampling {iid.power_sampling:.2%}), "
        f"gates open {iid.gates_open:.2%}"
    )
    varying = [_varying(seed, references, windows, names) for names in (VARYING[:1], VARYING)]
    for found in varying:
        say(
            f"  {found.features} with effects N(0, .2 sd): false alarms {found.false_alarms_learnt:.2%} "
            f"(sampling {found.false_alarms_sampling:.2%}), pages {found.pages_learnt:.2%} "
            f"(sampling {found.pages_sampling:.2%}); windows of {LARGER:,} rows: "
            f"{found.false_alarms_larger_learnt:.2%} (sampling {found.false_alarms_larger_sampling:.2%})"
        )
    return CostFigures(iid, varying[0], varying[1])


def _iid(seed: int, references: int, windows: int) -> IidFigures:
    quiet, power, gates = dict.fromkeys(RULES, NONE), dict.fromkeys(RULES, NONE), NONE
    for number in range(references):
        rng = np.random.default_rng([seed, number])
        source = Source(rng, seed, ())
        nulls = [null for reference in source.baseline.features.values() for null in reference.natural.values()]
        gates += Share.of_all(null.varies for null in nulls)
        for _ in range(windows):
            window = source.window(rng, ROWS)
            for name, rule in RULES.items():
                quiet[name] += Share.of_all([source.report(window, rule=rule).status == "alarm"])
        for feature in SPREAD:
            drift = shifted(np.asarray(named(feature).column(rng, 20_000), dtype=np.float64), SHIFT)
            for _ in range(max(windows // 5, 1)):
                column = drift.apply(named(feature).column(rng, ROWS), rng)
                window = source.window(rng, ROWS, {feature: column})
                for name, rule in RULES.items():
                    power[name] += Share.of_all([feature in source.report(window, rule=rule).alarms])
    return IidFigures(
        false_alarms_learnt=quiet["learnt"].rate,
        false_alarms_sampling=quiet["sampling"].rate,
        power_learnt=power["learnt"].rate,
        power_sampling=power["sampling"].rate,
        power_lost_points=round(100 * (power["sampling"].rate - power["learnt"].rate), 3),
        gates_open=gates.rate,
        quiet_windows=quiet["learnt"].of,
        shifted_windows=power["learnt"].of,
    )


def _varying(seed: int, references: int, windows: int, names: Sequence[str]) -> VaryingFigures:
    alarms, larger = dict.fromkeys(RULES, NONE), dict.fromkeys(RULES, NONE)
    paged = dict.fromkeys(RULES, 0)
    for number in range(references):
        rng = np.random.default_rng([seed, number, len(names)])
        source = Source(rng, seed, names)
        drawn = [source.window(rng, ROWS) for _ in range(windows)]
        more = [source.window(rng, LARGER) for _ in range(windows)]
        for name, rule in RULES.items():
            reports = [source.report(window, i, rule) for i, window in enumerate(drawn)]
            alarms[name] += Share.of_all(found.status == "alarm" for found in reports)
            larger[name] += Share.of_all(source.report(window, 0, rule).status == "alarm" for window in more)
            paged[name] += len(pages(reports))
    return VaryingFigures(
        features=len(names),
        false_alarms_learnt=alarms["learnt"].rate,
        false_alarms_sampling=alarms["sampling"].rate,
        pages_learnt=paged["learnt"] / alarms["learnt"].of,
        pages_sampling=paged["sampling"] / alarms["sampling"].of,
        false_alarms_larger_learnt=larger["learnt"].rate,
        false_alarms_larger_sampling=larger["sampling"].rate,
        windows=alarms["learnt"].of,
    )
