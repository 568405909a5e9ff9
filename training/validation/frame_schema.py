"""Frame schema: the description and the ranges of training.yaml as a pandera schema, and what it says as findings."""

from __future__ import annotations

from typing import Any

import pandas as pd

from contracts.model_files import FRAME_DTYPES
from contracts.schema import Feature, FeatureSchema
from training.configuration.config import Checks
from training.errors import ConfigError
from training.validation.finding import Finding


def frame_schema(schema: FeatureSchema, checks: Checks) -> Any:
    """A pandera schema of a feature frame. Raises ConfigError for ranges or levels of a feature that is not there."""
    _check_names(schema, checks)
    pa = _pandera()
    return pa.DataFrameSchema(
        {feature.name: _column(feature, checks) for feature in schema.features}, strict=True, ordered=True
    )


def schema_findings(features: pd.DataFrame, schema: FeatureSchema, checks: Checks) -> list[Finding]:
    """One finding for each column and check that fails, with an example."""
    pa = _pandera()
    try:
        frame_schema(schema, checks).validate(features, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        grouped = cases.groupby(["column", "check"], sort=False, dropna=False)
        return [_finding(str(column), str(check), group) for (column, check), group in grouped]
    return []


def _pandera() -> Any:
    """Imported late: it takes a second, which whoever trains without checks need not wait."""
    import pandera.pandas

    return pandera.pandas


def _column(feature: Feature, checks: Checks) -> Any:
    pa = _pandera()
    rules = []
    bounds = checks.ranges.get(feature.name)
    if bounds is not None and bounds.minimum is not None:
        rules.append(
            pa.Check.ge(bounds.minimum, error=f"below checks.ranges.{feature.name}.minimum {bounds.minimum:g}")
        )
    if bounds is not None and bounds.maximum is not None:
        rules.append(
            pa.Check.le(bounds.maximum, error=f"above checks.ranges.{feature.name}.maximum {bounds.maximum:g}")
        )
    if feature.kind == "boolean":
        rules.append(pa.Check.isin([0.0, 1.0], error="not true or false"))
    if (levels := checks.levels.get(feature.name)) is not None:
        rules.append(pa.Check.isin(list(levels), error=f"not in checks.levels.{feature.name}"))
    return pa.Column(FRAME_DTYPES[feature.kind], rules, nullable=feature.nullable)


def _finding(column: str, check: str, cases: pd.DataFrame) -> Finding:
    if cases["index"].isna().all():  # of the whole column: its type, or that it is there
        return Finding(f"feature {column!r}: {check}: {cases['failure_case'].iloc[0]}", fatal=True)
    first = cases.iloc[0]
    value = "missing" if check == "not_nullable" else f"{str(first['failure_case'])[:40]!r}"
    why = "and the description says nullable = false" if check == "not_nullable" else check
    more = f" and in {len(cases) - 1:,} more" if len(cases) > 1 else ""
    return Finding(f"feature {column!r} is {value} in row {int(first['index']) + 1}{more}: {why}", fatal=True)


def _check_names(schema: FeatureSchema, checks: Checks) -> None:
    for field, names, kind in (("ranges", checks.ranges, "numeric"), ("levels", checks.levels, "categorical")):
        there = [feature.name for feature in schema.features if feature.kind == kind]
        wrong = [name for name in names if name not in there]
        if wrong:
            raise ConfigError(
                f"checks.{field} names {wrong[0]!r}, which is no {kind} feature of the dataset.toml: "
                f"{', '.join(there) or 'it has none'}"
            )
