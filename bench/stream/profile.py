"""Where a worker's time goes: the samples of sampled.py, booked on the steps that an event takes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import msgspec

from bench.benchmark import BenchError
from bench.stream.sampled import Frame, Samples

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("parse records", ("stream_app/delivery/parsing.py", "aiokafka/consumer/fetcher.py")),
    (
        "decode",
        (
            "windowing/decoding.py",
            "windowing/typed.py",
            "windowing/gathered.py",
            "windowing/accepted.py",
            "windowing/records.py",
            "contracts/events.py",
            "contracts/times.py",
        ),
    ),
    ("decide: late, repeat, window", ("windowing/ledger.py", "windowing/sequences.py", "windowing/watermark.py")),
    (
        "count into histograms",
        ("contracts/window.py", "contracts/histogram", "contracts/binning.py", "open_window.py"),
    ),
    ("encode state", ("contracts/partials.py", "windowing/state.py", "windowing/accumulator.py")),
    ("compression", ("aiokafka/codec.py", "aiokafka/record/")),
    ("stage 2 and drift", ("agents/merging.py", "windowing/merger.py", "stream_app/drift/")),
    ("aiokafka: group and offsets", ("aiokafka/consumer/",)),
    ("aiokafka: produce", ("aiokafka/producer/",)),
    ("aiokafka: connections", ("aiokafka/",)),
    ("agents", ("stream_app/agents/",)),
    ("delivery: Faust, mode and our part", ("stream_app/delivery/", "/faust/", "/mode/")),
    ("metrics over HTTP", ("prometheus_client/", "wsgiref/", "socketserver.py", "http/server.py")),
    ("event loop", ("asyncio/", "selectors.py")),
)
"""A sample belongs to the step whose file comes first in its stack, from the inside out."""
_PARSING = STEPS[0]
_REST, _TOP = "everything else", 15


def load(file: Path) -> Samples:
    """What a sampled worker has left. Raises BenchError when it left nothing."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Samples)
    except (OSError, msgspec.MsgspecError) as error:
        raise BenchError(f"the sampled worker has left no samples: {error}") from error


def step_of(stack: tuple[Frame, ...]) -> str:
    """The step that a stack is in. The consumer's work on record batches is parsing, the producer's compression."""
    for file, _ in stack:
        for step, parts in STEPS:
            if any(part in file for part in parts):
                parsing = any(part in outer for part in _PARSING[1] for outer, _ in stack)
                return _PARSING[0] if step == "compression" and parsing else step
    return _REST


def table(samples: Samples, events: int) -> list[str]:
    """For people: microseconds an event by step and thread, then the functions that the time was spent in."""
    steps: defaultdict[tuple[str, str], float] = defaultdict(float)
    functions: defaultdict[tuple[str, str], float] = defaultdict(float)
    for sampled in samples.stacks:
        steps[step_of(sampled.stack), sampled.thread] += sampled.seconds
        file, name = sampled.stack[0]
        functions["/".join(Path(file).parts[-3:]), name] += sampled.seconds
    total = sum(steps.values())
    lines = [f"{'step':38}{'thread':22}{'share':>7}{'us an event':>13}"]
    lines += [
        f"{step:38}{thread[:20]:22}{seconds / total:7.1%}{seconds / events * 1e6:13.2f}"
        for (step, thread), seconds in _greatest(steps)
        if seconds > 0.002 * total
    ]
    lines.append(f"{'all':60}{1:7.1%}{total / events * 1e6:13.2f}")
    lines.append(
        f"{'of it garbage collection':60}{samples.collecting / total:7.1%}{samples.collecting / events * 1e6:13.2f}"
    )
    lines += ["", f"{'function':60}{'share':>7}"]
    return lines + [
        f"{f'{name}  {file}':60.60}{seconds / total:7.1%}" for (file, name), seconds in _greatest(functions)[:_TOP]
    ]


def _greatest(seconds: dict[tuple[str, str], float]) -> list[tuple[tuple[str, str], float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])
