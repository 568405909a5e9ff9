"""What is counted of runs that go side by side, and what a run with too many connections may be answered."""

from pathlib import Path
from typing import Any

import pytest

from bench.api.pressure import OTHERS, OVERLOAD, SINGLES, Pressure, beside, lines, overload
from bench.api.wrk import Said, Target
from bench.benchmark import BenchError

SINGLE, BATCH = Target("http://api/predict", Path("single")), Target("http://api/predict/batch", Path("batches"))


def said(requests: int, **changes: Any) -> Said:
    none = dict.fromkeys(("refused", "connect", "read", "write", "timeout"), 0)
    return Said(requests=requests, seconds=2.0, p50=1.0, p99=3.0, p999=4.0, max=5.0, **{**none, **changes})


class FakeLoad:
    """Answers by url, and remembers who was asked on how many connections."""

    def __init__(self, answers: dict[str, Said]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    def run(self, target: Target, connections: int, seconds: float, **more: Any) -> Said:
        self.asked.append((target.url, connections))
        return self.answers[target.url]


def test_predictions_are_measured_alone_and_beside_others_and_both_are_counted() -> None:
    load = FakeLoad({SINGLE.url: said(2_000), BATCH.url: said(80)})
    counted = list[tuple[str, int, int]]()

    alone, batches = beside(
        load,  # type: ignore[arg-type]
        SINGLE,
        {"batches": BATCH},
        2,
        lambda what, found, connections: counted.append((what, found.requests, connections)),
    )

    assert (alone.beside, alone.requests_per_second, alone.others_per_second) == ("nothing", 1_000, 0)
    assert (batches.beside, batches.others_per_second, batches.p99_ms) == ("batches", 40, 3.0)
    assert sorted(load.asked) == [(SINGLE.url, SINGLES)] * 2 + [(BATCH.url, OTHERS["batches"])]
    assert sorted(counted) == [("batches", 80, OTHERS["batches"])] + [("predictions", 2_000, SINGLES)] * 2


def test_beyond_the_limit_503_is_an_answer_and_a_closed_connection_is_none() -> None:
    load = FakeLoad({SINGLE.url: said(9_000, refused=6_000)})
    counted = list[Said]()

    found = overload(load, SINGLE, 2, lambda _, one, __: counted.append(one))  # type: ignore[arg-type]

    assert (found.requests_per_second, found.refused_per_second) == (4_500, 3_000)
    assert [(one.requests, one.refused) for one in counted] == [(9_000, 6_000)]
    assert load.asked == [(SINGLE.url, OVERLOAD)]
    assert "4,500 answers/s, 3,000 of them 503" in lines(Pressure([], found))[0]
    load.answers = {SINGLE.url: said(9_000, read=1)}
    with pytest.raises(BenchError, match="overload"):
        overload(load, SINGLE, 2, lambda *_: None)  # type: ignore[arg-type]


def test_a_prediction_that_was_refused_beside_others_is_an_error() -> None:
    load = FakeLoad({SINGLE.url: said(2_000, refused=1)})
    with pytest.raises(BenchError, match="predictions beside nothing"):
        beside(load, SINGLE, {}, 2, lambda *_: None)  # type: ignore[arg-type]
