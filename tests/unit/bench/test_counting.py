"""The benchmark `counting`: what is timed is a real batch, and the steps add up."""

from __future__ import annotations

import pytest

from bench.benchmark import Options
from bench.counting import SIZES, cost, made, run
from bench.stream.material import Material
from contracts.events import parse_id
from stream_app.windowing.decoding import Limits, decode_batch

MATERIAL = Material(5, seed=3)


def test_its_records_are_events_that_can_all_be_counted_out_of_order_and_of_two_api_processes() -> None:
    baseline = MATERIAL.baseline
    records = made(MATERIAL, 500, seed=3)
    decoded = decode_batch(records, {(baseline.model, baseline.version): baseline}, Limits(10**9, 10**9))
    assert (len(decoded.accepted), decoded.refused) == (500, [])
    times = decoded.accepted.times_ms.tolist()
    assert times != sorted(times)
    assert {parsed.source for id_ in decoded.accepted.ids if (parsed := parse_id(id_))} == {
        "bench.00",
        "bench.01",
    }


def test_the_same_seed_makes_the_same_events() -> None:
    assert made(MATERIAL, 50, seed=3) == made(MATERIAL, 50, seed=3)
    assert made(MATERIAL, 50, seed=3) != made(MATERIAL, 50, seed=4)


def test_the_steps_add_up_to_the_whole() -> None:
    found = cost(made(MATERIAL, 400, seed=3), MATERIAL.baseline, batch=100, rounds=1)
    assert found.batch == 100
    assert min(found.decode, found.decide, found.count, found.encode) > 0
    assert found.total == pytest.approx(found.decode + found.decide + found.count + found.encode, abs=0.001)


def test_it_says_each_size_of_batch_and_names_the_greatest_in_its_figures() -> None:
    said: list[str] = []
    figures = run(Options(quick=True), said.append)
    assert [found.batch for found in figures.costs] == list(SIZES)
    assert figures.us_per_event == figures.costs[-1].total
    assert 600 < figures.value_bytes < 700
    assert len(said) == 2 + len(SIZES)
