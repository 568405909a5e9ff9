"""The sentences as they are read in a report or an alert, word by word."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.findings import CauseKind
from contracts.reports import Finding
from stream_app.drift.cause import sentences
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.units import UNITS
from tests.causes import VALUES, cause_of, some

W = 4_000


def miles(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.5, 400, rows)


def pressure(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1013, 8, rows)


def stops(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).poisson(3, rows).astype(np.float64)


def carrier(seed: int, rows: int) -> list[str]:
    return np.random.default_rng(seed).choice(["AA", "B6", "UA"], rows, p=[0.5, 0.3, 0.2]).tolist()


def fill(value: float) -> np.ndarray:
    return np.full(W, value)


FRESH, AIR, FLOWN = miles(2, W), pressure(2, W), carrier(2, W)


@pytest.mark.parametrize(
    ("name", "before", "now", "findings", "sentence"),
    [
        (
            "distance",
            miles(1, 30_000),
            some(1 / 3, FRESH * 1.609344, FRESH),
            VALUES,
            "distance: 36 % of rows look multiplied by 1.61 (miles -> kilometres?)",
        ),
        (
            "fare",
            miles(1, 30_000),
            FRESH * 100,
            VALUES,
            "fare: all rows look multiplied by 100 (fraction -> percent, or units -> cents?)",
        ),
        (
            "humid",
            miles(1, 30_000),
            some(0.1, FRESH * 0.01, FRESH),
            VALUES,
            "humid: 10 % of rows look divided by 100 (percent -> fraction, or cents -> units?)",
        ),
        ("amount", miles(1, 30_000), some(0.2, -FRESH, FRESH), VALUES, "amount: 20 % of rows have the sign flipped"),
        ("age", miles(1, 30_000), some(0.1, fill(0.0), FRESH), VALUES, "age: 10 % of rows are 0"),
        ("age", miles(1, 30_000), fill(-999.0), VALUES, "age: all rows are -999"),
        ("stops", stops(1, 30_000), stops(2, W) + 2, VALUES, "stops: shifted by +2"),
        ("fare", miles(1, 30_000), miles(4, W) * 1.4, VALUES, "fare: all rows look multiplied by 1.4"),
        (
            "load",
            miles(1, 30_000),
            np.minimum(FRESH, 1500),
            VALUES,
            "load: clipped: at most 1,500 (18 % of the reference lies above)",
        ),
        (
            "temp",
            pressure(1, 30_000),
            some(0.31, fill(np.nan), AIR),
            ("missing",),
            "temp: missing 0 % -> 31 %",
        ),
        (
            "carrier",
            carrier(1, 30_000),
            some(0.02, ["XX"] * W, FLOWN),
            ("unseen",),
            "carrier: 2 % of rows have a level that the reference never had",
        ),
        (
            "carrier",
            carrier(1, 30_000),
            ["American" if level == "AA" else level for level in FLOWN],
            ("values", "unseen"),
            "carrier: level 'AA' is gone (50 % -> 0 %), 50 % of rows have a level that the reference never had "
            "(renamed?)",
        ),
        (
            "carrier",
            carrier(1, 30_000),
            ["AA" if level == "UA" else level for level in FLOWN],
            VALUES,
            "carrier: level 'UA' is gone (20 % -> 0 %), level 'AA' grew by as much (50 % -> 71 %)",
        ),
        ("carrier", carrier(1, 30_000), some(0.3, ["UA"] * W, FLOWN), VALUES, "carrier: level 'UA' 20 % -> 44 %"),
    ],
)
def test_a_sentence_is_what_a_person_would_write(
    name: str, before: object, now: object, findings: tuple[Finding, ...], sentence: str
) -> None:
    cause = cause_of(before, now, findings, name)
    assert cause is not None
    assert cause.sentence == sentence


@pytest.mark.parametrize(
    ("kind", "more", "sentence"),
    [
        ("shift", {"value": -0.25}, "x: shifted by -0.25"),
        ("shift", {"value": 3.0, "share": 0.2}, "x: 20 % of rows look shifted by +3"),
        ("spread", {"value": 41.0, "factor": 1.5}, "x: spread out about 41: values lie 1.5 times as far from it"),
        ("spread", {"value": 41.0, "factor": 0.6}, "x: drawn together about 41: values lie 0.6 times as far from it"),
        (
            "tail",
            {"value": 72.0, "factor": 2.2},
            "x: the upper tail is longer: values above 72 lie 2.2 times as far above it",
        ),
        (
            "tail",
            {"value": 9.0, "factor": 0.5, "upper": False},
            "x: the lower tail is shorter: values below 9 lie 0.5 times as far below it",
        ),
        (
            "clip",
            {"value": 6.5, "share": 0.1, "upper": False},
            "x: clipped: at least 6.5 (10 % of the reference lies below)",
        ),
        ("spike", {"value": 1013.2468, "exact": False, "share": 0.2}, "x: 20 % of rows are about 1,013"),
        ("spike", {"value": 1013.25, "share": 0.2}, "x: 20 % of rows are 1,013.25"),
        ("ratio", {"factor": 0.25, "share": 0.4}, "x: 40 % of rows look divided by 4"),
    ],
)
def test_every_numeric_kind_has_its_sentence(kind: CauseKind, more: dict[str, object], sentence: str) -> None:
    found = Candidate(kind=kind, gain=1.0, penalty=0.0, **more)  # type: ignore[arg-type]
    assert sentences.of("x", found, 0.0) == sentence


def test_every_unit_has_words_of_its_own() -> None:
    assert len({unit.words for unit in UNITS}) == len(UNITS) > 35
    assert len({(unit.factor, unit.offset) for unit in UNITS}) == len(UNITS)


def test_a_unit_is_undone_by_its_inverse() -> None:
    for unit in UNITS:
        assert unit.undo(unit.apply(12.5)) == pytest.approx(12.5)
