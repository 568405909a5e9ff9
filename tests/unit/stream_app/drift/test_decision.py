"""The decision rule: weights, two families, floors, presets."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from contracts.baseline import Reference
from contracts.binning import Levels
from contracts.reports import Finding
from stream_app.drift.decision import Decision, Measurement, decide, questions
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Panel, PanelCounts
from stream_app.drift.psi import Psi
from stream_app.drift.rule import CALIBRATED, CLASSIC, PRESETS, DecisionRule, Part


def a_measurement(metric: str, p: list[float] | None, size: list[float], finding: Finding = "values") -> Measurement:
    sizes = np.array(size)
    return Measurement(metric, finding, Measured(sizes, sizes, None if p is None else np.array(p)))


def decided(rule: DecisionRule, *measurements: Measurement) -> list[Decision]:
    return decide([questions(measurements, rule)], rule)[0]


def test_the_three_tests_of_a_feature_share_its_p_by_weight() -> None:
    ks = a_measurement("ks", [0.06, 0.5, 1.0, 0.9], [0.1] * 4)
    psi = a_measurement("psi", [0.5, 0.03, 1.0, 0.9], [0.0] * 4)
    peak = a_measurement("peak", [0.5, 0.5, 0.01, 0.9], [0.0] * 4)
    (values,) = decided(CALIBRATED, ks, psi, peak)
    assert values.p == pytest.approx([0.1, 0.1, 0.1, 1.0])


def test_an_alarm_is_significant_and_material() -> None:
    ks = a_measurement("ks", [1e-9, 1e-9, 0.5, 1e-9], [0.06, 0.04, 0.06, 0.04])
    psi = a_measurement("psi", [1.0, 1.0, 1.0, 1.0], [0.0, 0.04, 0.0, 0.06])
    (values,) = decided(CALIBRATED, ks, psi)
    assert values.significant.tolist() == [True, True, False, True]
    assert values.material.tolist() == [True, False, True, True]
    assert values.alarm.tolist() == [True, False, False, True]


def test_more_features_ask_for_a_smaller_p() -> None:
    def alarms(features: int) -> bool:
        return bool(
            decided(CALIBRATED, a_measurement("ks", [6e-4] + [1.0] * (features - 1), [0.1] * features))[0].alarm[0]
        )

    assert alarms(9)  # 6e-4 / .6 * 9 = .009
    assert not alarms(11)


def test_one_strong_feature_makes_room_for_a_second_one() -> None:
    def second(first: float) -> bool:
        return bool(
            decided(CALIBRATED, a_measurement("chi2", [first, 1.5e-3] + [1.0] * 8, [1.0] * 10))[0].significant[1]
        )

    assert second(1e-9)
    assert not second(1.0)


def test_rates_are_a_family_of_their_own() -> None:
    values = a_measurement("chi2", [9e-3], [1.0])
    still = [a_measurement(name, [1.0], [0.0], name) for name in ("missing", "unseen")]  # type: ignore[arg-type]
    assert decided(CALIBRATED, values, *still)[0].significant[0]  # in one family with the rates: p * 3 > .01
    missing = a_measurement("missing", [4e-3], [0.5], "missing")
    assert not decided(CALIBRATED, values, missing, still[1])[1].significant[0]  # two rates: 4e-3 * 2 > .005
    assert decided(CALIBRATED, values, missing)[1].alarm[0]


def test_families_span_all_panels() -> None:
    alone = a_measurement("ks", [3e-3], [0.1])
    others = a_measurement("chi2", [1.0] * 3, [0.0] * 3)
    numeric, _ = decide([questions([alone], CALIBRATED), questions([others], CALIBRATED)], CALIBRATED)
    assert not numeric[0].significant[0]  # 3e-3 / .6 * 4 > .01
    assert decided(CALIBRATED, alone)[0].significant[0]


def test_a_rate_below_its_floor_does_not_alarm() -> None:
    for finding, below, above in (("missing", 0.009, 0.011), ("unseen", 0.004, 0.006), ("out_of_range", 0.019, 0.021)):
        rate = a_measurement(finding, [1e-12, 1e-12], [below, above], finding)  # type: ignore[arg-type]
        assert decided(CALIBRATED, rate)[0].alarm.tolist() == [False, True]


def test_the_classic_preset_alarms_on_p_or_psi_of_each_feature_and_on_no_rate() -> None:
    ks = a_measurement("ks", [0.04, 0.06, 0.06], [0.001] * 3)
    psi = a_measurement("psi", [1.0] * 3, [0.0, 0.19, 0.21])
    missing = a_measurement("missing", [0.0] * 3, [1.0] * 3, "missing")
    values, rate = decided(CLASSIC, ks, psi, missing)
    assert values.alarm.tolist() == [True, False, True]
    assert not rate.alarm.any()


def test_the_classic_preset_holds_psi_itself_against_its_limit_for_levels_too() -> None:
    """50 levels, windows of 200 rows: PSI is .2 on average when nothing changes, and its excess over that mean is 0."""
    rng = np.random.default_rng(0)
    levels = Levels(tuple(f"level {i}" for i in range(50)))
    shares = np.full(50, 1 / 50)
    reference = Reference(levels, (*rng.multinomial(10_000, shares).tolist(), 0, 0))
    panel = Panel("categorical", [reference] * 300)
    drawn = [Reference(levels, (*rng.multinomial(200, shares).tolist(), 0, 0)).histogram for _ in range(300)]
    psi = Psi(panel).measure(PanelCounts(panel, drawn))
    (values,) = decided(CLASSIC, Measurement("psi", "values", psi))
    assert values.alarm.tolist() == (psi.value > 0.2).tolist()
    assert 60 < values.alarm.sum() < 240
    assert (psi.size > 0.2).sum() == 0


def test_a_metric_without_a_part_decides_nothing() -> None:
    (values,) = decided(CALIBRATED, a_measurement("ks", [1.0], [0.0]), a_measurement("new metric", [0.0], [1.0]))
    assert not values.significant[0]
    assert not values.material[0]


def test_a_rule_of_ones_own_is_a_preset_with_other_thresholds() -> None:
    strict = msgspec.structs.replace(
        CALIBRATED, name="strict", parts={**CALIBRATED.parts, "ks": Part(weight=0.6, floor=0.2)}
    )
    assert not decided(strict, a_measurement("ks", [1e-9], [0.1]))[0].alarm[0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"values_q": 1.0}, "values_q"),
        ({"rates_q": -0.1}, "rates_q"),
        ({"parts": {"ks": Part(weight=2)}}, "'ks'"),
        ({"n_min": 0}, "n_min"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        msgspec.structs.replace(CALIBRATED, **change)


def test_presets_are_found_by_their_own_names() -> None:
    assert all(rule.name == name for name, rule in PRESETS.items())
    assert set(PRESETS) == {"calibrated", "classic"}
