"""Reproduce: train a version again from its own lineage, register nothing, and say whether the same came of it.

The configuration and the seed are those that the version's evaluation keeps; the data is read from where it was, and
must have the digest that it had. The same data, configuration, code and libraries on the same kind of processor give
the same scores, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from contracts.errors import InvalidMessage
from training.configuration.config import Config
from training.data.samples import Samples, load
from training.errors import DataError
from training.evaluation.held_out import HeldOut, scores_digest
from training.evaluation.measures import Labels, Scores
from training.evaluation.record import TEST_FILE, Evaluation
from training.fitting.stopwatch import Stopwatch
from training.fitting.tune import Tuned, prepare, tune
from training.making.evaluated import environment
from training.making.recorded import SOURCE_TAG
from training.registry.records import Version
from training.registry.registered import Registered
from training.reports.card_files import evaluation_in

_SHOWN = 8


class Difference(msgspec.Struct, frozen=True):
    """Of something that was recorded and what it is now."""

    what: str
    recorded: str
    now: str


class Reproduced(msgspec.Struct, frozen=True, kw_only=True):
    """results: what came out otherwise, so the version was not reproduced; none: it was. around: what else is not as it
    was: code and environment. trained: whether the data allowed it. apart: largest difference of a test row's score,
    None where the rows are not the same.
    """

    model: str
    version: str
    data: str
    trained: bool
    results: tuple[Difference, ...]
    around: tuple[Difference, ...]
    apart: float | None = None

    @property
    def same(self) -> bool:
        """Whether the very same came of it."""
        return not self.results


def reproduce(registered: Registered, name: str, data: Path | None, revision: str, watch: Stopwatch) -> Reproduced:
    """data: instead of the recorded source. revision: of the code that runs. Raises TrainingError."""
    version = registered.find(name)
    recorded = evaluation_in(registered, version)
    config = config_of(recorded)
    source = data or _source(registered, version)
    watch.begin("read")
    samples = load(source, timed=True if config.window is not None else None, segments=config.segments)
    watch.lap("read")
    around = _around(recorded, revision)
    if samples.digest != recorded.data_digest:
        differs = Difference("data digest", recorded.data_digest, samples.digest)
        return Reproduced(
            model=version.model,
            version=version.version,
            data=str(source),
            trained=False,
            results=(differs,),
            around=around,
        )
    tuned = tune(samples, config, prepare(samples, config, watch), watch)
    return Reproduced(
        model=version.model,
        version=version.version,
        data=str(source),
        trained=True,
        results=differences(recorded, tuned),
        around=around,
        apart=_apart(registered, version, samples, samples.labels[tuned.parts.test], tuned.scores),
    )


def differences(recorded: Evaluation, tuned: Tuned) -> tuple[Difference, ...]:
    """Of all that the version's evaluation keeps of what came out; what it does not keep is not asked."""
    fitted = tuned.fitted
    found = [
        *_compared(
            "", {"digest of the scores": recorded.scores_digest}, {"digest of the scores": scores_digest(tuned.scores)}
        ),
        *_compared("", {"threshold": recorded.threshold}, {"threshold": fitted.threshold}),
        *_compared("test ", recorded.metrics, tuned.metrics),
        *_compared("validation ", recorded.validation, fitted.metrics),
        *_compared("parameter ", recorded.params, fitted.params),
    ]
    if recorded.reference is not None:
        rows = "rows of the baseline"
        found += _compared("", {rows: recorded.reference.rows}, {rows: fitted.references.rows})
    for number, (before, now) in enumerate(zip(recorded.folds, tuned.folds, strict=True)):
        found += _compared(f"fold {number} ", before, now)
    return tuple(found)


def reproduced_lines(found: Reproduced) -> list[str]:
    """For the person who asked: a line for each thing that differs, and the end of it."""
    whose = f"{found.model}/{found.version}"
    lines = [f"differs     {one.what}: {one.recorded} then, {one.now} now" for one in found.results[:_SHOWN]]
    if len(found.results) > _SHOWN:
        lines.append(f"            and {len(found.results) - _SHOWN} more (--json has all)")
    lines += [f"around      {one.what}: {one.recorded} then, {one.now} now" for one in found.around]
    if not found.trained:
        return [*lines, f"{whose}: not trained again: {found.data} is not the data that it was made from"]
    if found.same:
        return [*lines, f"{whose}: reproduced from {found.data}: every metric and every score is the same"]
    apart = "" if found.apart is None else f"; scores of the test rows are at most {found.apart:.2g} apart"
    why = "" if found.around else ", though code and libraries are those of then"
    return [*lines, f"{whose}: NOT reproduced from {found.data}{why}{apart}"]


def config_of(recorded: Evaluation) -> Config:
    """That the version was trained with. Raises InvalidMessage."""
    try:
        return msgspec.json.decode(recorded.config, type=Config)
    except msgspec.MsgspecError as error:
        raise InvalidMessage(
            f"the configuration of {recorded.model}/{recorded.version} cannot be read by this code: {error}: check out "
            f"revision {recorded.code_revision}"
        ) from error


def _compared(prefix: str, before: Mapping[str, object], now: Mapping[str, object]) -> list[Difference]:
    return [
        Difference(f"{prefix}{name}", _text(value), _text(now.get(name, "none")))
        for name, value in before.items()
        if name not in now or now[name] != value
    ]


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _around(recorded: Evaluation, revision: str) -> tuple[Difference, ...]:
    code = _compared("", {"code revision": recorded.code_revision}, {"code revision": revision})
    return (*code, *_compared("", recorded.environment, environment()))


def _source(registered: Registered, version: Version) -> Path:
    source = registered.tags(version).get(SOURCE_TAG)
    if source is None:
        raise DataError(f"{version.model}/{version.version} does not say where its data was: give --data FOLDER")
    if not Path(source).exists():
        raise DataError(f"{source}, the data of {version.model}/{version.version}, is not there: give --data FOLDER")
    return Path(source)


def _apart(registered: Registered, version: Version, samples: Samples, labels: Labels, scores: Scores) -> float | None:
    data = registered.fetch(version, TEST_FILE)
    if data is None:
        return None
    kept = HeldOut.from_parquet(data, samples.schema)
    if len(kept.labels) != len(labels) or (kept.labels != labels).any():
        return None
    return float(np.abs(kept.scores - scores).max())
