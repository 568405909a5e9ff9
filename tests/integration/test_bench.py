"""The benchmarks on real servers, small: that they run through, count exactly, and have the keys that are read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]
_GIVE_UP_SECONDS = 1_800


def figures(*words: str, slow: bool = False) -> dict[str, object]:
    """slow: it may also end with status 1, as where other work starves it; the caller looks at the rest itself."""
    command = [sys.executable, "-m", "bench", *words, "--json"]
    ended = subprocess.run(
        command, cwd=_REPOSITORY, capture_output=True, text=True, timeout=_GIVE_UP_SECONDS, check=False
    )
    assert ended.returncode in (0, 1) if slow else ended.returncode == 0, ended.stdout + ended.stderr
    found: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_stream_measures_a_worker_beside_bare_aiokafka_and_the_ordinary_agent() -> None:
    there = set(_REPOSITORY.iterdir())
    found = figures("stream", "--quick", "--events", "100000", "--only", "8p/bare,8p/naive,8p/ours")
    assert {path.name for path in set(_REPOSITORY.iterdir()) - there} <= {"var"}
    assert found["events_per_second"] > 0  # how fast is for a quiet machine to say: see docs/benchmarks.md
    assert found["events_per_cpu_second"] > 0
    assert found["ratio_to_bare"] > 0
    assert found["ratio_to_naive"] > 0
    assert found["two_workers_ratio"] is None  # not run
    assert [row["case"] for row in found["rows"]] == ["8p/bare", "8p/naive", "8p/ours"]


def test_latency_measures_from_an_event_to_its_count_and_from_a_windows_end_to_the_webhook() -> None:
    found = figures("latency", "--seconds", "12", "--rate", "500")
    assert found["counted_p99_ms"] > 0
    assert found["report_p99_ms"] > 0
    assert found["webhook_p99_ms"] > 0  # of the windows with an alert alone, so it may be the smaller one
    (rate,) = found["rates"]
    assert rate["report"]["number"] == rate["windows"] >= 2
    assert rate["webhook"]["number"] >= 2


def test_api_measures_our_server_beside_others_and_finds_every_answer_on_kafka() -> None:
    found = figures("api", "--quick", "--seconds", "1", "--only", "ours,ordinary,batch")
    assert found["exact"]
    assert found["answered"] == found["delivered"] > 0
    assert found["requests_per_second"] > 0
    assert found["ratio_to_ordinary"] > 0
    assert found["ratio_to_mlflow"] is None  # not run
    assert found["p50_ms"] <= found["p99_ms"]
    assert found["batch_rows_per_second"] > 0
    assert found["keys"]
    cases = [("ours", 1), ("ordinary", 1), ("ours", 16), ("ordinary", 16), ("ours", 64), ("ordinary", 64)]
    assert [(row["server"], row["connections"]) for row in found["rows"]] == cases


def test_labels_measures_how_many_are_taken_and_finds_every_one_on_kafka() -> None:
    found = figures("labels", "--quick", "--seconds", "1", slow=True)
    assert found["exact"]
    assert found["accepted"] == found["delivered"] > 0
    assert found["refused"] == 0
    assert found["labels_per_second"] > 0
    assert found["without_receipt_per_second"] > 0
    assert found["single_per_second"] > 0
    assert found["sign_us"] > 0
