"""Payments: synthetic card transactions, 20 numeric and 3 categorical features, about 2.4 % of them fraud.

Made to hold what real tables hold: ties (seven credit limits, 24 hours, a third of distances exactly 0), heavy tails
(amounts, counts), values missing at random, levels from frequent to rare, and noise that no model can learn. The world
can be moved (`World`): the inputs and the labels then follow, unlike the input faults of demo/drift.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.schema import Feature
from demo.datasets.dataset import Episode, SecondAct, TrueCause
from demo.drift import Drift, inject
from training.data.description import Description

Column = npt.NDArray[np.float64]

REFERENCE_ROWS = 60_000
QUIET_ROWS = 20_000
EPISODE_ROWS = 12_000
TURNED_ROWS = 70_000

_CARDS = 5_000
_START = pd.Timestamp("2026-01-01", tz="UTC")
_DAYS = 90
_DAY_SECONDS = 86_400
_CHANNELS = ("pos", "web", "app", "phone")
_CHANNEL_SHARES = (0.45, 0.30, 0.20, 0.05)
_CHANNEL_RISK = np.array([-0.5, 0.5, 0.0, 0.9])
_COUNTRIES = tuple(f"C{i:02d}" for i in range(12))
_MERCHANTS = tuple(f"M{i:02d}" for i in range(15))
_LIMITS = (500.0, 1_000.0, 2_000.0, 3_000.0, 5_000.0, 10_000.0, 20_000.0)
_LIMIT_SHARES = (0.10, 0.20, 0.25, 0.20, 0.15, 0.07, 0.03)
_BUREAU_SD = 80.0
_INTERCEPT = -5.6  # gives a fraud rate of 2.4 %
_NOISE = 0.55
_CONCEPT_LIFT = 0.85  # keeps the fraud rate between 2.2 and 2.8 % while the pattern turns

_NUMERIC = (
    "amount",
    "amount_avg_7d",
    "amount_ratio",
    "tx_count_1h",
    "tx_count_24h",
    "tx_count_7d",
    "minutes_since_last",
    "distance_home_km",
    "account_age_days",
    "device_age_days",
    "merchant_risk",
    "merchant_tx_24h",
    "ip_risk",
    "declines_24h",
    "utilisation",
    "credit_limit",
    "bureau_score",
    "email_score",
    "session_seconds",
    "hour",
)
_CATEGORICAL = ("channel", "country", "merchant_category")
_SOMETIMES_MISSING = ("bureau_score", "email_score", "ip_risk")

DESCRIPTION = Description(
    name="payments",
    file="reference.parquet",
    label="fraud",
    time="event_time",
    entity="card",
    features=(
        *(Feature(name, "numeric", nullable=name in _SOMETIMES_MISSING) for name in _NUMERIC),
        *(Feature(name, "categorical", nullable=False) for name in _CATEGORICAL),
    ),
)


@dataclass(frozen=True)
class World:
    """How the world differs from the one of the reference.

    bureau_shift: credit scores move by so many standard deviations. amount_factor: people spend so many times more.
    concept: 0 to 1, how far the pattern of fraud has turned into another one; no input moves.
    """

    bureau_shift: float = 0.0
    amount_factor: float = 1.0
    concept: float = 0.0


class Payments:
    """The payments behind the `Dataset` interface."""

    description = DESCRIPTION

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """A unit bug, then a population whose credit scores are half a standard deviation better."""
        bug = Drift("unit", ("amount", "amount_ratio"), size=100.0, share=1 / 3)
        return (
            Episode(
                "unit-bug",
                "amounts of a third of the payments arrive in cents",
                ("amount", "amount_ratio"),
                lambda quiet, seed: inject(quiet, bug, seed),
                cause=TrueCause("amount_ratio", "unit", 100.0, 1 / 3),
            ),
            Episode(
                "better-credit",
                "customers with better credit scores (+.5 sd) arrive",
                ("bureau_score",),
                lambda quiet, seed: payments(EPISODE_ROWS, [seed, 2], World(bureau_shift=0.5)),
                own_rows=True,
            ),
        )

    def reference(self, seed: int) -> pd.DataFrame:
        """60,000 payments of one quarter, in time order."""
        return payments(REFERENCE_ROWS, [seed, 0])

    def quiet(self, seed: int) -> pd.DataFrame:
        """20,000 other payments of the same quarter, in random order."""
        rows = payments(QUIET_ROWS, [seed, 1])
        return rows.iloc[np.random.default_rng([seed, 1, 1]).permutation(len(rows))].reset_index(drop=True)

    def second_act(self, seed: int) -> SecondAct:
        """Fraud follows another pattern; every input stays as it was. What was learnt before is of no use any more."""
        return SecondAct(
            name="new-fraud",
            title="fraud follows another pattern, no feature moves; the labels come a window late",
            rows=payments(TURNED_ROWS, [seed, 3], World(concept=1.0)),
            rows_per_window=5_000,
            learn=8,
            blames=(),
            base=False,
        )


def payments(rows: int, seed: int | list[int], world: World = World()) -> pd.DataFrame:
    """`rows` payments in time order; the same seed gives the same draw in every world."""
    draw = np.random.default_rng(seed)
    seconds = np.sort(draw.uniform(0, _DAYS * _DAY_SECONDS, rows)).round(3)
    card = draw.integers(0, _CARDS, rows)
    # a card's taste belongs to the card: it is the same in every draw
    taste = np.random.default_rng(7).normal(3.4, 0.6, _CARDS)[card]
    usual = np.exp(taste + draw.normal(0, 0.25, rows)).round(2)
    amount = (np.exp(taste + draw.normal(0, 0.8, rows)) * world.amount_factor).round(2)
    in_hour = draw.poisson(0.35, rows).astype(np.float64)
    in_day = in_hour + draw.poisson(3, rows)
    x: dict[str, Column] = {
        "amount": amount,
        "amount_avg_7d": usual,
        "amount_ratio": amount / usual,
        "tx_count_1h": in_hour,
        "tx_count_24h": in_day,
        "tx_count_7d": in_day + draw.poisson(16, rows),
        "minutes_since_last": draw.exponential(400, rows).round(1),
        "distance_home_km": np.where(draw.random(rows) < 0.3, 0.0, np.exp(draw.normal(2, 1.3, rows))).round(2),
        "account_age_days": draw.gamma(1.6, 500, rows).round(0),
        "device_age_days": draw.exponential(180, rows).round(0),
        "merchant_risk": draw.beta(1.5, 20, rows).round(4),
        "merchant_tx_24h": draw.negative_binomial(2, 0.02, rows).astype(np.float64),
        "ip_risk": draw.beta(0.8, 6, rows).round(4),
        "declines_24h": draw.poisson(0.12, rows).astype(np.float64),
        "utilisation": draw.beta(2, 3, rows).round(4),
        "credit_limit": draw.choice(np.array(_LIMITS), rows, p=_LIMIT_SHARES),
        "bureau_score": _lose(draw.normal(650, _BUREAU_SD, rows).round(0), 0.08, draw)
        + world.bureau_shift * _BUREAU_SD,
        "email_score": _lose(draw.random(rows).round(4), 0.05, draw),
        "session_seconds": np.exp(draw.normal(4, 0.9, rows)).round(1),
        "hour": np.floor(seconds / 3600 % 24),
    }
    channel = draw.choice(len(_CHANNELS), rows, p=_CHANNEL_SHARES)
    country = draw.choice(len(_COUNTRIES), rows, p=_falling(np.arange(1.0, 13.0) ** 1.3))
    merchant = draw.choice(len(_MERCHANTS), rows, p=_falling(np.arange(2.0, 17.0)))
    odds = _log_odds(x, channel, country, merchant, world.concept) + _NOISE * draw.normal(size=rows)
    return pd.DataFrame(
        {
            "event_time": _START + pd.to_timedelta(seconds, unit="s"),
            "card": [f"card-{number}" for number in card.tolist()],
            **x,
            "channel": np.array(_CHANNELS, dtype=object)[channel],
            "country": np.array(_COUNTRIES, dtype=object)[country],
            "merchant_category": np.array(_MERCHANTS, dtype=object)[merchant],
            "fraud": (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64),
        }
    )


def _lose(values: Column, share: float, draw: np.random.Generator) -> Column:
    return np.where(draw.random(values.size) < share, np.nan, values)


def _falling(weights: Column) -> Column:
    return np.asarray(1 / weights / (1 / weights).sum())


def _log_odds(
    x: dict[str, Column],
    channel: npt.NDArray[np.int64],
    country: npt.NDArray[np.int64],
    merchant: npt.NDArray[np.int64],
    concept: float,
) -> Column:
    """Log odds of fraud given the inputs, shape (rows,). `concept` moves weight from the first pattern to another."""
    odds: Column = 1.15 * (1 - concept) * np.log(np.maximum(x["amount_ratio"], 0.05)) + 0.9 * np.minimum(
        x["tx_count_1h"], 4
    )
    odds += 2.2 * (x["merchant_risk"] > 0.18) + 2.6 * (1 - concept) * (x["ip_risk"] > 0.35)
    odds += 2.6 * concept * (x["ip_risk"] < 0.02) + 0.35 * np.log1p(x["distance_home_km"]) * (1 - 1.6 * concept)
    odds += 0.7 * np.minimum(x["declines_24h"], 3) - 0.45 * np.log1p(x["account_age_days"] / 90)
    odds += -0.5 * np.log1p(x["device_age_days"] / 30) + 1.5 * (x["utilisation"] > 0.9)
    odds += -0.007 * (np.nan_to_num(x["bureau_score"], nan=620) - 650)
    odds += 0.8 * np.nan_to_num(x["email_score"], nan=0.4)
    odds += _CHANNEL_RISK[channel] + 1.1 * ((x["hour"] < 5) & (channel > 0))
    odds += 0.7 * (country > 5) + 0.9 * (merchant % 5 == 4)
    odds += _INTERCEPT + _CONCEPT_LIFT * concept**0.5
    return odds
