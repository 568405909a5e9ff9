"""Two minutes of the nemesis: `python -m bench nemesis` is the same code for longer. Its Kafka is the local stack's."""

from __future__ import annotations

from bench.benchmark import Options
from bench.nemesis.run import NEMESIS

SECONDS = 100


def test_every_event_is_counted_once_while_workers_network_and_kafka_are_killed() -> None:
    figures = NEMESIS.run(Options(seed=4, seconds=SECONDS), print)
    assert figures.exact  # the differences, where there are any, are in what was printed
    assert (figures.lost, figures.double, figures.gaps, figures.balanced) == (0, 0, 0, True)
    assert figures.counted + figures.late == figures.produced > 200_000
    assert figures.faults >= 18
    assert figures.sigkills >= 10
    assert figures.windows > 100
