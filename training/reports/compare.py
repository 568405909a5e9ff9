"""Compare: versions side by side: how good, on which test rows, from which data, and which parameters differ."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from contracts.errors import ContractError
from contracts.times import UtcTime
from training.errors import RegistryError
from training.evaluation.record import EVALUATION_FILE, Evaluation
from training.registry.records import Version
from training.registry.registered import Registered
from training.reports.card import METRICS
from training.reports.gate_files import GATE_TAG

_SMALLER_IS_BETTER = ("log_loss", "brier", "calibration_error", "cost")
_NEITHER = ("positive_rate", "base_rate")
_SAID_ELSEWHERE = ("threshold", "fitted_rows", "validation_rows", "test_rows", "verbose")


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One version and the run that made it. test_set: names the rows that metrics are of; None: validation rows of a
    training without a configuration. folds: AUC of each fold. params: of the run; those that differ, once compared.
    """

    model: str
    version: str
    run: str | None
    aliases: tuple[str, ...]
    created: UtcTime
    data: str
    data_digest: str
    code_revision: str
    gate: str | None
    test_set: str | None
    test_rows: int | None
    threshold: float | None
    metrics: dict[str, float]
    folds: tuple[float, ...]
    params: dict[str, str]


def compared(registered: Registered, wanted: Sequence[str], last: int) -> list[Side]:
    """wanted: numbers or aliases; none: the newest `last`. Raises RegistryError."""
    aliases = registered.marks().aliases
    names = list(wanted) or registered.versions()[-last:]
    if not names:
        raise RegistryError(f"MLflow at {registered.where}: {registered.model} has no version: train one")
    versions = list(dict.fromkeys(registered.find(name) for name in names))
    sides = [_side(registered, version, aliases) for version in versions]
    alike = {
        name
        for name in set().union(*(side.params for side in sides))
        if len({side.params.get(name) for side in sides}) == 1
    }
    drop = alike.union(_SAID_ELSEWHERE) if len(sides) > 1 else set(_SAID_ELSEWHERE)
    return [
        msgspec.structs.replace(side, params={k: v for k, v in side.params.items() if k not in drop}) for side in sides
    ]


def table(sides: Sequence[Side]) -> list[str]:
    """For a terminal: a column for each. * marks the best value, where all were judged by the same rows."""
    same = len({side.test_set for side in sides}) == 1 and sides[0].test_set is not None and len(sides) > 1
    rows = [
        ("version", [side.version for side in sides]),
        ("alias", [", ".join(side.aliases) or "-" for side in sides]),
        ("made", [f"{side.created:%Y-%m-%d %H:%M}" for side in sides]),
        ("gates", [side.gate or "not asked" for side in sides]),
        ("data", [side.data for side in sides]),
        ("data digest", [side.data_digest[:12] for side in sides]),
        ("code", [_short(side.code_revision) for side in sides]),
        ("test set", [side.test_set or "validation" for side in sides]),
        ("test rows", ["-" if side.test_rows is None else f"{side.test_rows:,}" for side in sides]),
        ("threshold", ["-" if side.threshold is None else f"{side.threshold:.4f}" for side in sides]),
        *((name, _metric(name, sides, same)) for name in METRICS if any(name in side.metrics for side in sides)),
        ("folds: auc", [_folds(side.folds) for side in sides]),
        *((name, [side.params.get(name, "-") for side in sides]) for name in _differing(sides)),
    ]
    first = max(len(name) for name, _ in rows)
    widths = [max(len(cells[i]) for _, cells in rows) for i in range(len(sides))]
    lines = [
        f"{name:{first}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        for name, cells in rows
    ]
    if len({side.test_set for side in sides}) > 1:
        lines.append(
            "These were judged by different rows, so metrics of one column say little about another: "
            "`python -m training gate VERSION` compares with the champion on the same rows."
        )
    if any(a.data_digest == b.data_digest and a.test_set != b.test_set for a in sides for b in sides):
        lines.append(
            "Where the data is the same and the test set is not, a version was fitted on rows of the other's test, "
            "which favours it there: the same seed and split give the same test rows."
        )
    return lines


def test_set_of(found: Evaluation) -> str:
    """8 hex digits; the same for two versions that were judged by the same rows of the same data."""
    how = msgspec.json.decode(found.config).get("split") if found.config else None
    seed = found.seed if found.split == "stratified" else 0
    split = msgspec.json.encode((found.data_digest, found.split, how, seed, found.rows["test"]), order="deterministic")
    return hashlib.sha256(split).hexdigest()[:8]


def _side(registered: Registered, version: Version, aliases: dict[str, str]) -> Side:
    client = registered.registry.client
    with registered.registry.errors(f"cannot look up {version.model}/{version.version} and its run"):
        kept = client.get_model_version(version.model, version.version)
        run = registered.registry.or_none(lambda: client.get_run(kept.run_id)) if kept.run_id else None
    data, tags = registered.fetch(version, EVALUATION_FILE), dict(kept.tags)
    try:
        found = None if data is None else Evaluation.from_bytes(data)
    except ContractError as error:
        raise RegistryError(f"{version.model}/{version.version}: {EVALUATION_FILE}: {error}") from error
    params = {} if run is None else {str(name): str(value) for name, value in run.data.params.items()}
    metrics = {} if run is None else {str(name): float(value) for name, value in run.data.metrics.items()}
    threshold = float(params["threshold"]) if "threshold" in params else None
    return Side(
        model=version.model,
        version=version.version,
        run=kept.run_id or None,
        aliases=tuple(sorted(alias for alias, number in aliases.items() if number == version.version)),
        created=datetime.fromtimestamp(kept.creation_timestamp / 1000, UTC),
        data=tags.get("data", "") if found is None else found.data,
        data_digest=tags.get("data_digest", "") if found is None else found.data_digest,
        code_revision=tags.get("code_revision", "") if found is None else found.code_revision,
        gate=tags.get(GATE_TAG),
        test_set=None if found is None else test_set_of(found),
        test_rows=None if found is None else found.rows["test"].rows,
        threshold=threshold if found is None else found.threshold,
        metrics={name: metrics[name] for name in METRICS if name in metrics} if found is None else found.metrics,
        folds=() if found is None else tuple(fold["auc"] for fold in found.folds),
        params=params,
    )


def _metric(name: str, sides: Sequence[Side], same: bool) -> list[str]:
    values = [side.metrics.get(name) for side in sides]
    known = [value for value in values if value is not None]
    best = min(known) if name in _SMALLER_IS_BETTER else max(known)
    marked = same and name not in _NEITHER and len(set(known)) > 1
    return ["-" if one is None else f"{one:.4f}{'*' if marked and one == best else ''}" for one in values]


def _folds(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = sum(values) / len(values)
    spread = (sum((one - mean) ** 2 for one in values) / max(len(values) - 1, 1)) ** 0.5
    return f"{mean:.4f} ± {spread:.4f}"


def _differing(sides: Sequence[Side]) -> list[str]:
    return sorted(set().union(*(side.params for side in sides))) if len(sides) > 1 else []


def _short(revision: str) -> str:
    return revision[:8] + ("-dirty" if revision.endswith("-dirty") else "")
