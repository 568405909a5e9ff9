"""Asked: the options of `train` as a plan; whatever is wrong with them is said before anything is opened or fitted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from training.baselines.windows import window_length
from training.configuration.config import read_config
from training.configuration.names import check_alias, check_model
from training.errors import ConfigError, DataError
from training.making.train import Plan


def asked(
    data: Path | None,
    model: str | None,
    estimator: str | None,
    seed: int | None,
    threshold: float | None,
    alias: str | None,
    window: str | None,
    code_revision: str,
    now: datetime,
) -> Plan:
    """Without a configuration; None: its default. Raises TrainingError."""
    if data is None or model is None:
        absent = "--data" if data is None else "--model"
        raise DataError(f"{absent} is missing: give --data FOLDER and --model NAME, or --config training.yaml")
    check_model(model, "--model")
    if alias is not None:
        check_alias(alias, "--alias")
    length = None if window is None else window_length(window)
    return Plan(data, model, estimator or "hgb", seed or 0, threshold, alias, code_revision, now, length)


def asked_by_config(
    file: Path,
    data: Path | None,
    model: str | None,
    seed: int | None,
    alias: str | None,
    inside: Mapping[str, object],
    code_revision: str,
    now: datetime,
) -> Plan:
    """As the file says. data, model, seed, alias: go before it where given. inside: options that are fields of the file
    and no options beside it. Raises TrainingError.
    """
    if given := [option for option, value in inside.items() if value is not None]:
        raise ConfigError(f"{given[0]} does not go with --config: set {given[0].removeprefix('--')} in {file}")
    config = read_config(file)
    if model is not None:
        check_model(model, "--model")
    if alias is not None:
        check_alias(alias, "--alias")
    config = replace(
        config,
        model=config.model if model is None else model,
        seed=config.seed if seed is None else seed,
        alias=config.alias if alias is None else alias,
    )
    try:
        length = None if config.window is None else window_length(config.window)
    except DataError as error:
        raise ConfigError(f"{file}: {str(error).replace('--window', 'window')}") from error
    where = file.parent / config.data if data is None else data
    fixed = config.threshold.value
    return Plan(
        where,
        config.model,
        config.estimator.name,
        config.seed,
        fixed,
        config.alias,
        code_revision,
        now,
        length,
        config,
    )
