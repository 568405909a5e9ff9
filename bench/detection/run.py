"""The benchmark `detection`: are the verdicts calibrated, do they find what they should, and is it named right?

All parts but closing, causes and effects draw from the twenty mixed features of features.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import closing
from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.detection import kinds, others, quiet
from bench.detection.accidents import accidents
from bench.detection.causes import cause_accuracy
from bench.detection.effects import effect_rank_correlation
from bench.detection.exactness import exactness
from bench.detection.features import columns
from bench.detection.figures import (
    DetectionFigures,
    accident_table,
    beside_table,
    detail_table,
    exact_lines,
    power_table,
    quiet_table,
)
from bench.detection.others import Beside
from bench.detection.power import CASES, Trial, power, trial
from bench.detection.reference import REFERENCE_ROWS, Drawn
from bench.detection.share import total
from bench.detection.tools import ColumnTool, CustomaryPsi, ScipyTests
from stream_app.drift.rule import CALIBRATED, CLASSIC


@dataclass(frozen=True)
class Size:
    """How much is drawn. references: for quiet windows; trials: of them, for all else. quiet, classic: windows of each
    reference and number of rows, for the two presets. The others: windows of each trial and feature, or size of shift.
    """

    references: int
    trials: int
    quiet: int
    classic: int
    power: int
    beside: int
    others: int
    accidents: int
    exactness: int
    figure: int


WHOLE = Size(20, 4, quiet=500, classic=100, power=100, beside=25, others=50, accidents=20, exactness=10, figure=50)
QUICK = Size(2, 1, quiet=150, classic=50, power=20, beside=5, others=10, accidents=2, exactness=3, figure=20)


class Material:
    """What the parts share; made when it is first asked for."""

    def __init__(self, options: Options, say: Say) -> None:
        self.options, self.say = options, say
        self.size = QUICK if options.quick else WHOLE
        self._beside: dict[int, list[Beside]] = {}

    @cached_property
    def drawn(self) -> list[Drawn]:
        """The references."""
        return [Drawn(self.options.seed, number) for number in range(self.size.references)]

    @cached_property
    def trials(self) -> list[Trial]:
        """The first few references with the tools beside."""
        return [trial(drawn, self._tools(drawn)) for drawn in self.drawn[: self.size.trials]]

    def beside(self, rows: int) -> list[Beside]:
        """Ours and others on the same quiet windows."""
        if rows not in self._beside:
            self._beside[rows] = others.side_by_side(self.trials, self.options.seed, rows, self.size.others)
        return self._beside[rows]

    def _tools(self, drawn: Drawn) -> list[ColumnTool]:
        tools: list[ColumnTool] = [ScipyTests(drawn), CustomaryPsi(drawn)]
        try:
            from bench.detection.evidently_defaults import EvidentlyDefaults, agrees
        except ImportError as error:
            if drawn is self.drawn[0]:
                self.say(f"Evidently is left out, it cannot be imported ({error}): pip install '.[detection]'\n")
            return tools
        for rows in (REFERENCE_ROWS, 1_000):
            if drawn is self.drawn[0]:
                few = columns(np.random.default_rng([self.options.seed, 3]), 1_000)
                if not agrees(drawn, rows, few):
                    raise BenchError("Evidently's report and its drift functions disagree: no figure can be given")
            tools.append(EvidentlyDefaults(drawn, rows))
        return tools


def run(options: Options, say: Say) -> DetectionFigures:
    """Measure it. Raises BenchError."""
    if unknown := set(options.only) - set(_PARTS):
        raise BenchError(f"--only {','.join(sorted(unknown))}: choose of {', '.join(_PARTS)}")
    if "figure" in options.only and options.figure is None:
        raise BenchError("--only figure: say with --figure which file it goes to")
    if options.figure is not None and Path(options.figure).suffix not in _FORMATS:
        raise BenchError(f"--figure {options.figure}: the file must end with one of {', '.join(_FORMATS)}")
    parts = options.only or tuple(part for part in _PARTS if part != "figure" or options.figure)
    material, figures = Material(options, say), DetectionFigures()
    say(f"seed {options.seed}, references of {REFERENCE_ROWS:,} rows, 20 mixed features, score and decision\n")
    for part in (part for part in _PARTS if part in parts):
        began = time.perf_counter()
        figures = msgspec.structs.replace(figures, **_PARTS[part](material))
        say(f"({part}: {time.perf_counter() - began:.0f} s)\n")
    return figures


def _quiet(material: Material) -> dict[str, Any]:
    baselines, size = [drawn.baseline for drawn in material.drawn], material.size
    windows = ((CALIBRATED, size.quiet), (CLASSIC, size.classic))
    rows = [found for n in quiet.ROWS for found in quiet.false_alarms(baselines, material.options.seed, n, windows)]
    _say(material, quiet_table(rows))
    rates = {
        rule.name: {found.rows: round(found.alarms.rate, 5) for found in rows if found.rule == rule.name}
        for rule in (CALIBRATED, CLASSIC)
    }
    return {
        "false_alarms": rates[CALIBRATED.name],
        "false_alarms_classic": rates[CLASSIC.name],
        "false_pages": round(total(found.pages for found in rows if found.rule == CALIBRATED.name).rate, 6),
    }


def _power(material: Material) -> dict[str, Any]:
    size, seed = material.size, material.options.seed
    found = [(case, power(material.trials, case, seed, size.power, size.beside)) for case in CASES]
    _say(material, detail_table(found))
    _say(material, power_table(found))
    fields = DetectionFigures.__struct_fields__
    return {case.key: round(ours.mean(), 5) for case, (ours, *_) in found if case.key in fields}


def _kinds(material: Material) -> dict[str, Any]:
    many = kinds.QUICK_ROWS if material.options.quick else kinds.ROWS
    _say(material, kinds.table({n: kinds.kinds(material.trials, material.options.seed, n, 1) for n in many}))
    return {}


def _others(material: Material) -> dict[str, Any]:
    _say(material, beside_table([found for n in others.ROWS for found in material.beside(n)]))
    return {}


def _accidents(material: Material) -> dict[str, Any]:
    found = accidents(material.trials, material.options.seed, material.size.accidents)
    _say(material, accident_table(found))
    *single, empty = found
    return {
        "accidents_alarmed": sum(entry.alarms.hits - entry.before.hits for entry in single),
        "empty_columns_found": empty.alarms.rate,
    }


def _exactness(material: Material) -> dict[str, Any]:
    found = exactness(material.trials, material.options.seed, material.size.exactness)
    _say(material, exact_lines(found))
    return {"psi_streamed_difference": found.streamed, "ks_binned_error": round(found.binned, 5)}


def _figure(material: Material) -> dict[str, Any]:
    from bench.detection import picture  # matplotlib takes a second

    assert material.options.figure is not None
    curves = picture.curves(material.trials, material.options.seed, material.size.figure)
    wrong = {entry.name: entry.alarms for entry in material.beside(picture.ROWS)}
    file = Path(material.options.figure)
    picture.draw(curves, wrong, file)
    material.say(f"wrote {file}")
    return {}


def _causes(material: Material) -> dict[str, Any]:
    return {"cause_accuracy": cause_accuracy(material.options, material.say).cause_accuracy}


def _effects(material: Material) -> dict[str, Any]:
    return {"effect_rank_correlation": min(effect_rank_correlation(material.options, material.say).values())}


def _closing(material: Material) -> dict[str, Any]:
    found = closing.run(material.options, material.say)
    return {name: getattr(found, name) for name in ("close_ms_23", "close_ms_1000", "state_kb_23")}


def _say(material: Material, lines: list[str]) -> None:
    for line in lines:
        material.say(line)
    material.say("")


_FORMATS = (".svg", ".png", ".pdf")
_PARTS: dict[str, Callable[[Material], dict[str, Any]]] = {
    "quiet": _quiet,
    "power": _power,
    "kinds": _kinds,
    "others": _others,
    "accidents": _accidents,
    "exactness": _exactness,
    "figure": _figure,
    "causes": _causes,
    "effects": _effects,
    "closing": _closing,
}

DETECTION = Benchmark(
    "detection",
    "false alarms, power, causes, effects and costs of the verdicts, other tools beside",
    run,
    takes=("only", "figure"),
    lasts="25 minutes; --quick: 5 minutes",
)
