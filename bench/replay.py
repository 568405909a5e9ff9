"""How fast a file is replayed, by format: the whole command as a user runs it, its start included.

The same events as JSON Lines, CSV and Parquet; what the three print must be equal, or there is no figure.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.counting import made
from bench.stream.material import Material

FEATURES = 20
EVENTS, QUICK_EVENTS = 400_000, 20_000
WINDOW = "60s"


class ReplayFigures(msgspec.Struct, frozen=True):
    """By format: jsonl, csv, parquet. cpu_seconds: of the process, from its start to its end. events_per_cpu_second:
    says the same while other programs run. megabytes: of the file. equal: every format gave the same lines.
    """

    events: int
    features: int
    events_per_second: dict[str, float]
    events_per_cpu_second: dict[str, float]
    cpu_seconds: dict[str, float]
    megabytes: dict[str, float]
    equal: bool


def run(options: Options, say: Say) -> ReplayFigures:
    """Measure it. Raises BenchError when a replay fails, or two formats disagree."""
    events = options.events or (QUICK_EVENTS if options.quick else EVENTS)
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        directory = Path(folder)
        material = Material(FEATURES, options.seed)
        baseline = directory / "baseline.json"
        baseline.write_bytes(material.baseline.to_bytes())
        files = _written(directory, [record.value or b"" for record in made(material, events, options.seed)])
        say(f"{events:,} events of {FEATURES} features, windows of {WINDOW}, one process with its start\n")
        say(f"{'format':10}{'MB':>8}{'events/s':>12}{'events/CPU-s':>14}{'CPU s':>8}")
        wall, cpu, size, digests = {}, {}, {}, set()
        for name, file in files.items():
            wall[name], cpu[name], digest = _timed(file, baseline, directory / "found.jsonl")
            size[name] = round(file.stat().st_size / 1e6, 1)
            digests.add(digest)
            say(f"{name:10}{size[name]:8}{events / wall[name]:12,.0f}{events / cpu[name]:14,.0f}{cpu[name]:8.2f}")
    if len(digests) != 1:
        raise BenchError("the formats gave different reports: a figure for wrong results would say nothing")
    return ReplayFigures(
        events=events,
        features=FEATURES,
        events_per_second={name: round(events / seconds) for name, seconds in wall.items()},
        events_per_cpu_second={name: round(events / seconds) for name, seconds in cpu.items()},
        cpu_seconds={name: round(seconds, 3) for name, seconds in cpu.items()},
        megabytes=size,
        equal=True,
    )


def _written(directory: Path, values: Sequence[bytes]) -> dict[str, Path]:
    """The three files."""
    files = {name: directory / f"events.{name}" for name in ("jsonl", "csv", "parquet")}
    files["jsonl"].write_bytes(b"\n".join(values) + b"\n")
    columns: dict[str, list[Any]] = {}
    for value in values:
        event = json.loads(value)
        for name, entry in {**event, **event.pop("features")}.items():
            columns.setdefault(name, []).append(entry)
    columns = {name: column for name, column in columns.items() if name != "features"}
    pq.write_table(pa.table(columns), files["parquet"])
    with files["csv"].open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return files


def _timed(file: Path, baseline: Path, output: Path) -> tuple[float, float, str]:
    """Seconds, seconds of processor time, and a digest of what was found."""
    words = ["replay", "--file", str(file), "--baseline", str(baseline), "--window", WINDOW, "--output", str(output)]
    began = time.perf_counter()
    process = Popen([sys.executable, "-m", "stream_app", *words], stdout=DEVNULL, stderr=PIPE)
    said = process.stderr.read() if process.stderr is not None else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        raise BenchError(f"the replay of {file.name} failed: {said.decode().strip()}")
    found = sorted(output.read_bytes().splitlines())
    return seconds, usage.ru_utime + usage.ru_stime, hashlib.sha256(b"\n".join(found)).hexdigest()


REPLAY = Benchmark(
    "replay", "events a second from a file, by format", run, takes=("events",), lasts="1 minute; --quick: 10 s"
)
