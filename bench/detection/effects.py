"""Does the effect that a report states agree with what the drift really does to the model? On both data sets.

Windows come from rows that the model was neither fitted to nor asked about when its baseline was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from scipy import stats

from bench.benchmark import Benchmark, Options, Say
from bench.detection.effect_windows import EffectWindows, Outcome
from bench.detection.features import Rng
from bench.offline import OfflineModel, dataset_of
from stream_app.drift.effect import HARMLESS

DATASETS = ("flights", "payments")
DRIFTS = 50
"""Drifts that alarm, drawn at random from all kinds and features: what the goal is about."""
ALL_DRIFTS = 200
MOVES, QUICK_MOVES = 120, 40
TRULY_SMALL = 2 * HARMLESS
_DRAWS = 400

Which = Callable[[Outcome], float]


class Agreement(msgspec.Struct, frozen=True):
    """How stated and true effects of one data set agree. Correlations are Spearman's, with the true change of the mean
    score over all drifts that alarmed, unless something else is said.

    injected, alarmed: drifts. drawn: over 50 drifts drawn at random, of "if the data broke"; drawn_low, drawn_high: 5
    and 95 % of such draws. data_broke, headline, world_moved: of the three numbers. positives: of the stated with the
    true share of positives. sign_right: share of those with a true effect above .001. ratio: stated by true, 10, 50 and
    90 %, of those with one above .005. harmless: share that the report calls so; small: by the numbers alone;
    small_truly: share of these with a true effect below .02; small_worst: the largest. large, large_missed: drifts with
    a true effect of .02 or more, and how many of them are small. moves: windows of whole rows that alarmed;
    moves_world, moves_data: correlations of the two numbers with the true change there.
    """

    injected: int
    alarmed: int
    drawn: float
    drawn_low: float
    drawn_high: float
    data_broke: float
    headline: float
    world_moved: float
    positives: float
    sign_right: float
    ratio: tuple[float, float, float]
    harmless: float
    small: float
    small_truly: float
    small_worst: float
    large: int
    large_missed: int
    moves: int
    moves_world: float
    moves_data: float


class EffectFigures(msgspec.Struct, frozen=True):
    """effect_rank_correlation: of each data set, over 50 drifts. agreement: the rest."""

    effect_rank_correlation: dict[str, float]
    agreement: dict[str, Agreement]


def run(options: Options, say: Say) -> EffectFigures:
    """Measure it."""
    found = {}
    for name in DATASETS:
        model = OfflineModel(dataset_of(name), options.seed)
        auc = model.baseline.performance["auc"]
        say(f"{name}: baseline of {model.baseline.rows:,} rows, AUC {auc:.3f}")
        found[name] = _measure(EffectWindows(model, options.seed), options)
    say("")
    for line in table(found):
        say(line)
    return EffectFigures({name: agreement.drawn for name, agreement in found.items()}, found)


def effect_rank_correlation(options: Options, say: Say) -> dict[str, float]:
    """Rank correlation of stated with true effect over 50 injected drifts, of each data set."""
    return run(options, say).effect_rank_correlation


def _measure(windows: EffectWindows, options: Options) -> Agreement:
    generator = np.random.default_rng([options.seed, 50])
    injections = list(windows.injections())
    order = generator.permutation(len(injections)).tolist()
    tried, outcomes = 0, []
    for i in order:
        tried += 1
        if (outcome := windows.broken(injections[i], generator)) is not None:
            outcomes.append(outcome)
        if len(outcomes) == (DRIFTS if options.quick else ALL_DRIFTS):
            break
    moves = [windows.moved(generator) for _ in range(QUICK_MOVES if options.quick else MOVES)]
    return agreement_of(tried, outcomes, [move for move in moves if move is not None], generator)


def agreement_of(injected: int, outcomes: Sequence[Outcome], moves: Sequence[Outcome], generator: Rng) -> Agreement:
    """The figures of these outcomes. The first 50 are the drawn ones: they come in random order."""
    draws = [generator.choice(len(outcomes), min(DRIFTS, len(outcomes)), replace=False) for _ in range(_DRAWS)]
    drawn = np.array([_rank([outcomes[i] for i in draw.tolist()], _broke) for draw in draws])
    plain = [outcome for outcome in outcomes if abs(outcome.true.score) > 0.001]
    clear = [outcome for outcome in outcomes if abs(outcome.true.score) > 0.005]
    small = [outcome for outcome in outcomes if outcome.small]
    large = [outcome for outcome in outcomes if abs(outcome.true.score) >= TRULY_SMALL]
    ratios = np.array([outcome.broke.score / outcome.true.score for outcome in clear])
    return Agreement(
        injected=injected,
        alarmed=len(outcomes),
        drawn=_rank(outcomes[:DRIFTS], _broke),
        drawn_low=round(float(np.quantile(drawn, 0.05)), 4),
        drawn_high=round(float(np.quantile(drawn, 0.95)), 4),
        data_broke=_rank(outcomes, _broke),
        headline=_rank(outcomes, lambda outcome: outcome.headline),
        world_moved=_rank(outcomes, _world),
        positives=_rank(outcomes, lambda o: o.broke.positives or 0.0, lambda o: o.true.positives or 0.0),
        sign_right=_share([outcome.broke.score * outcome.true.score > 0 for outcome in plain]),
        ratio=tuple(np.round(np.quantile(ratios, [0.1, 0.5, 0.9]), 3).tolist()) if clear else (0.0, 0.0, 0.0),
        harmless=_share([outcome.harmless for outcome in outcomes]),
        small=_share([outcome.small for outcome in outcomes]),
        small_truly=_share([abs(outcome.true.score) < TRULY_SMALL for outcome in small]),
        small_worst=round(max((abs(outcome.true.score) for outcome in small), default=0.0), 5),
        large=len(large),
        large_missed=sum(outcome.small for outcome in large),
        moves=len(moves),
        moves_world=_rank(moves, _world),
        moves_data=_rank(moves, _broke),
    )


def table(found: dict[str, Agreement]) -> list[str]:
    """The figures, one column for each data set."""
    columns = list(found.values())
    rows: list[tuple[str, list[str]]] = [
        ("drifts injected / that alarm", [f"{a.injected} / {a.alarmed}" for a in columns]),
        (f'"if the data broke", rank correlation, {DRIFTS} drifts', [f"{a.drawn:.3f}" for a in columns]),
        (f"  90 % of draws of {DRIFTS}", [f"{a.drawn_low:.3f} to {a.drawn_high:.3f}" for a in columns]),
        ("  all that alarm", [f"{a.data_broke:.3f}" for a in columns]),
        ("  share of positives, all that alarm", [f"{a.positives:.3f}" for a in columns]),
        ("the headline's number", [f"{a.headline:.3f}" for a in columns]),
        ('"if the world moved", when the data broke', [f"{a.world_moved:.3f}" for a in columns]),
        ("sign right, true effect above .001", [f"{a.sign_right:.1%}" for a in columns]),
        ("stated / true, 10, 50, 90 %, above .005", [" ".join(f"{r:.2f}" for r in a.ratio) for a in columns]),
        (f"harmless by its numbers (below {HARMLESS:g})", [f"{a.small:.1%}" for a in columns]),
        (f"  truly below {TRULY_SMALL:g} / worst", [f"{a.small_truly:.1%} / {a.small_worst:.4f}" for a in columns]),
        ("  and by the report (no missing, unseen, out of range)", [f"{a.harmless:.1%}" for a in columns]),
        (f"drifts of {TRULY_SMALL:g} and more / of them harmless", [f"{a.large} / {a.large_missed}" for a in columns]),
        ("whole rows drawn, windows that alarm", [f"{a.moves}" for a in columns]),
        ('  "if the world moved", rank correlation', [f"{a.moves_world:.3f}" for a in columns]),
        ('  "if the data broke"', [f"{a.moves_data:.3f}" for a in columns]),
    ]
    head = f"{'':56}" + "".join(f"{name:>20}" for name in found)
    return [head, *(f"{name:56}" + "".join(f"{cell:>20}" for cell in cells) for name, cells in rows)]


def _broke(outcome: Outcome) -> float:
    return outcome.broke.score


def _world(outcome: Outcome) -> float:
    return outcome.world.score


def _rank(outcomes: Sequence[Outcome], stated: Which, true: Which = lambda outcome: outcome.true.score) -> float:
    pair = [stated(outcome) for outcome in outcomes], [true(outcome) for outcome in outcomes]
    if any(len(set(numbers)) < 2 for numbers in pair):
        return 0.0  # nothing to rank
    return round(float(stats.spearmanr(*pair).statistic), 4)


def _share(holds: Sequence[bool]) -> float:
    return round(sum(holds) / len(holds), 4) if holds else 0.0


EFFECTS = Benchmark(
    "effects",
    "does the stated effect on the model agree with scoring the drifted rows again? flights and payments, offline",
    run,
    lasts="2 minutes; --quick: 1 minute",
)
