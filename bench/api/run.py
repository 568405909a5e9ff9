"""The benchmark `api`: what is run, how long, and where."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from bench.api import memory, outage
from bench.api.figures import ApiFigures
from bench.api.material import ROOT
from bench.api.measurement import Extent, Measurement
from bench.api.table import table
from bench.api.wrk import Load
from bench.api.wrk_package import cache_directory, wrk
from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.pinned import cores
from demo.stack.errors import StackError

PARTS = ("ours", "ordinary", "mlflow", "empty", "bare", "half", "batch", "beside", "overload", "outage", "memory")
"""Servers, and what else is measured of ours. bare: a constant answer without a framework. beside, overload: see
bench.api.pressure. outage: bench.api.outage."""
BY_DEFAULT = PARTS[:-2]
FULL = Extent(rounds=5, seconds=5, patience=20.0, events=memory.EVENTS, outage=outage.FULL)
QUICK = Extent(rounds=2, seconds=2, patience=2.0, events=memory.QUICK_EVENTS, outage=outage.QUICK)
_NEED_BYTES, _RECORD_BYTES = 4_000_000_000, 1_500


def run(options: Options, say: Say) -> ApiFigures:
    """Measure it. Raises BenchError."""
    parts = chosen(options.only)
    usual = QUICK if options.quick else FULL
    extent = usual._replace(
        seconds=round(options.seconds or usual.seconds),
        events=options.events or usual.events,
    )
    where, tool = cores(), wrk(cache_directory(), shutil.which("wrk"))
    need = _NEED_BYTES + (extent.events * _RECORD_BYTES if "memory" in parts else 0)
    need += round(extent.outage.seconds * outage.RATE) * _RECORD_BYTES if "outage" in parts else 0
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    if (free := shutil.disk_usage(var).free) < need:
        raise BenchError(f"{need / 1e9:.1f} GB are needed in {var.name}/, {free / 1e9:.1f} GB are free")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-api-", dir=var) as name:
            directory = Path(name)
            measurement = Measurement(parts, extent, where, Load(tool, directory, say), directory, say)
            figures = measurement.take(options.seed)
    except StackError as error:
        raise BenchError(str(error)) from error
    for line in table(figures):
        say(line)
    return figures


def chosen(only: tuple[str, ...]) -> tuple[str, ...]:
    """The parts to run. Raises BenchError for one that there is not.

    >>> chosen(("ours", "half"))
    ('ours', 'half')
    """
    for wish in only:
        if wish not in PARTS:
            raise BenchError(f"--only {wish}: there are {', '.join(PARTS)}")
    return only or BY_DEFAULT


API = Benchmark(
    "api",
    "our server with everything on, beside an ordinary FastAPI endpoint, mlflow models serve and an empty endpoint",
    run,
    takes=("only", "seconds", "events"),
    lasts="15 minutes; --quick: 3 minutes, with --only ours 1 minute; --only memory: 10 minutes; --only outage: 3",
    held=lambda figures: bool(figures.exact),
)
