"""What comes of the runs: the fastest of each case, ratios by round, and whether every answer was delivered."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bench.api.figures import Delivery, batches_of, figures_of, half_of, rows_of
from bench.api.table import table
from bench.api.trial import Run
from bench.api.wrk import Said


def a_run(server: str, connections: int, rate: float, *, p999: float = 4.0, drain: float = 0.0) -> Run:
    said = Said(round(rate * 2), 2.0, 1.0, 3.0, p999, 9.0, 0, 0, 0, 0, 0)
    return Run(
        **{"server": server, "connections": connections, "said": said, "cpu_us": 80.0, "drain": drain},
        **{"server_cores": 1.0, "others": 0.0, "load_cores": 0.5, "load_waited": 0.01},
    )


def a_delivery(**changes: Any) -> Delivery:
    equal = Delivery(answered=103, seen=100, cut_off=3, most_cut_off=16, delivered=103, repeats=0, missing=0)
    return msgspec.structs.replace(equal, **changes)


ROUNDS = [
    [a_run("ours", 16, 12_000), a_run("empty", 16, 8_000), a_run("ours", 64, 15_000)],
    [a_run("empty", 16, 4_000), a_run("ours", 16, 10_000), a_run("ours", 64, 16_000)],
    [a_run("ours", 16, 13_000), a_run("empty", 16, 6_500), a_run("ours", 64, 14_000)],
]


def test_a_case_has_the_figures_of_its_fastest_run_and_says_how_slow_the_slowest_was() -> None:
    ours, empty, many = rows_of(ROUNDS)
    assert (ours.server, ours.connections, ours.runs) == ("ours", 16, 3)
    assert (ours.requests_per_second, ours.slowest) == (13_000, 10_000)
    assert (empty.requests_per_second, empty.slowest) == (8_000, 4_000)
    assert many.requests_per_second == 16_000


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_runs_of_different_rounds() -> None:
    ours, empty, _ = rows_of(ROUNDS)
    assert empty.ours_to_this == 2.0  # of 1.5, 2.5 and 2.0
    assert ours.ours_to_this is None


def test_the_figures_of_the_goals_are_those_at_16_and_64_connections() -> None:
    half = half_of([a_run("ours", 64, 6_000, p999=p999) for p999 in (3.0, 9.0, 4.0)], a_run("bare", 64, 6_000))
    batch = batches_of([a_run("ours", 2, 100, drain=2.0), a_run("ours", 2, 80)], 1_000)
    found = figures_of(
        rows_of(ROUNDS), half, batch, None, a_delivery(), keys=True, start_seconds={"ours": 2.5}, resident_mb={}
    )
    assert (found.requests_per_second, found.requests_per_second_64) == (13_000, 16_000)
    assert (found.ratio_to_empty, found.ratio_to_ordinary, found.ratio_to_mlflow) == (2.0, None, None)
    assert (found.p50_ms, found.p99_ms, found.cpu_us) == (1.0, 3.0, 80.0)
    assert (found.answered, found.delivered, found.exact) == (103, 103, True)
    assert found.p999_ms_half_load == 4.0
    assert found.half.worst_p999_ms == 9.0
    assert found.batch_rows_per_second == 100_000
    assert found.batch.delivered_per_second == 50_000
    assert any("delivered 103, repeats 0, missing 0: equal" in line for line in table(found))


def test_ours_has_its_rate_until_delivery_beside_its_requests_and_others_deliver_nothing() -> None:
    rows = rows_of([[a_run("ours", 16, 12_000, drain=1.0), a_run("empty", 16, 8_000)]])
    assert [row.delivered_per_second for row in rows] == [8_000, None]  # 24,000 in 2 s and one more
    found = figures_of(rows, None, None, None, a_delivery(), keys=True, start_seconds={}, resident_mb={})
    head, ours, empty = table(found)[1:4]
    at = head.index("delivered/s")
    assert ours[at : at + len("delivered/s")].strip() == "8,000"
    assert empty[at : at + len("delivered/s")].strip() == "-"


def test_without_ours_at_a_number_of_connections_its_figures_are_null() -> None:
    found = figures_of([], None, None, None, a_delivery(), keys=False, start_seconds={}, resident_mb={})
    assert (found.requests_per_second, found.p99_ms_64, found.batch_rows_per_second) == (None, None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"delivered": 102}, id="an answer is not on Kafka"),
        pytest.param({"delivered": 104}, id="an event that was no answer"),
        pytest.param({"missing": 1}, id="an id that we know is not there"),
        pytest.param({"cut_off": -1}, id="the load side saw more answers than the server gave"),
        pytest.param({"cut_off": 17}, id="the server counts more answers than can have been under way"),
    ],
)
def test_it_holds_only_where_every_answer_was_delivered(wrong: dict[str, int]) -> None:
    assert a_delivery().exact
    assert a_delivery(repeats=5).exact  # readers recognise them by their ids
    assert not a_delivery(**wrong).exact
