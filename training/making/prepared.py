"""Prepared: what is known of data before anything is fitted to it for good: the first stage of the pipeline."""

from __future__ import annotations

import msgspec

from contracts.times import UtcTime
from training.data.samples import load
from training.errors import ConfigError
from training.evaluation.record import Part, PartName
from training.fitting.stopwatch import Audience, Stopwatch
from training.fitting.tune import prepare
from training.making.evaluated import part_of
from training.making.train import Plan


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """data_digest: SHA-256, 64 hex digits. rows: by part. warnings: of the checks; none of them stops a training."""

    model: str
    data: str
    data_digest: str
    rows: dict[PartName, Part]
    warnings: tuple[str, ...]
    v: int = 1


def prepared(plan: Plan, audience: Audience) -> Prepared:
    """Load, check, split and rehearse as train() does. Raises TrainingError."""
    config, watch = plan.config, Stopwatch(audience)
    if config is None:
        raise ConfigError("there is nothing to prepare without a training.yaml: give --config")
    watch.begin("read")
    samples = load(plan.data, timed=True if plan.window is not None else None, segments=config.segments)
    watch.lap("read")
    found = prepare(samples, config, watch)
    parts = found.parts
    return Prepared(
        model=plan.model,
        data=samples.description.name,
        data_digest=samples.digest,
        rows={
            "train": part_of(samples, parts.train),
            "validation": part_of(samples, parts.validation),
            "test": part_of(samples, parts.test),
        },
        warnings=found.warnings,
    )


def prepared_lines(found: Prepared) -> list[str]:
    """For a terminal."""
    return [
        *(f"warning     {said}" for said in found.warnings),
        f"data        {found.data}, digest {found.data_digest[:12]}",
        *(
            f"{name:11} {part.rows:,} rows, {part.positives:,} positive{_span(part.first, part.last)}"
            for name, part in found.rows.items()
        ),
    ]


def _span(first: UtcTime | None, last: UtcTime | None) -> str:
    return "" if first is None or last is None else f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
