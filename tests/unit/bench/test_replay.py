"""The benchmark of the replay, on few events."""

from __future__ import annotations

from bench.benchmark import Options
from bench.replay import REPLAY


def test_each_format_has_its_figures_and_all_gave_the_same_lines() -> None:
    told: list[str] = []
    figures = REPLAY.run(Options(events=600), told.append)
    assert figures.equal  # type: ignore[attr-defined]
    for of in ("events_per_second", "events_per_cpu_second", "cpu_seconds", "megabytes"):
        assert list(getattr(figures, of)) == ["jsonl", "csv", "parquet"]
        assert all(value > 0 for value in getattr(figures, of).values())
    assert [line.split()[0] for line in told[-3:]] == ["jsonl", "csv", "parquet"]
