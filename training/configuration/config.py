"""Config: what a training does with described data. It is the file `training.yaml`; the data has its dataset.toml.

Every field has a default but `model` and `data`; training.yaml at the root shows them all. What is wrong is said by the
field's path, such as `search.space.learning_rate`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import msgspec

from contracts.outcomes import Costs
from contracts.times import UtcTime
from training.configuration.names import check_alias, check_model
from training.configuration.presentation import Card, Pictures
from training.configuration.yaml_text import read_yaml
from training.errors import ConfigError, SettingsError

Scalar = float | int | str | bool | None


class Split(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """by: "stratified": each part holds the same share of positives; "time": the last rows are the test, those before
    them the validation. validation, test: shares of the rows; the rest is trained on. train_only_before: a
    moment with a zone; rows before it are trained on, and the shares are of the others.
    """

    by: Literal["stratified", "time"] = "stratified"
    validation: float = 0.2
    test: float = 0.2
    train_only_before: UtcTime | None = None

    def __post_init__(self) -> None:
        for name, share in (("validation", self.validation), ("test", self.test)):
            if not 0.01 <= share <= 0.9:
                raise ValueError(f"{name} is {share:g}: give a share of the rows between 0.01 and 0.9")
        if self.validation + self.test > 0.95:
            raise ValueError(f"validation and test are {self.validation + self.test:g} of the rows: nothing is left")


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a numeric feature's values must be within; None: no limit."""

    minimum: float | None = None
    maximum: float | None = None


class Checks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the data's validation. ranges: feature -> bounds. levels: categorical feature -> the levels that it may
    have. duplicates: largest share of rows that repeat an earlier one, label included. overlap: largest share of test
    rows whose features are those of a training row. leakage_auc: a feature that alone ranks labels better is a leak.
    """

    ranges: dict[str, Bounds] = {}
    levels: dict[str, tuple[str, ...]] = {}
    duplicates: float = 0.2
    overlap: float = 0.2
    leakage_auc: float = 0.99

    def __post_init__(self) -> None:
        for name, share in (("duplicates", self.duplicates), ("overlap", self.overlap)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is {share:g}: give a share between 0 and 1")
        for name, bounds in self.ranges.items():
            if bounds.minimum is not None and bounds.maximum is not None and bounds.minimum > bounds.maximum:
                raise ValueError(f"ranges.{name}: minimum {bounds.minimum:g} is above maximum {bounds.maximum:g}")
        if not 0.5 < self.leakage_auc <= 1:
            raise ValueError(f"leakage_auc is {self.leakage_auc:g}: give an AUC above 0.5, at most 1")


class Preparation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of columns; None: as suits the estimator. impute: missing numbers (each with a column that marks it, but for
    "keep", which only estimators that take missing values can have). scale: to mean 0 and deviation 1. encode: levels.
    """

    impute: Literal["median", "mean", "zero", "keep"] | None = None
    scale: bool | None = None
    encode: Literal["one_hot", "codes"] | None = None


class EstimatorChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """name: hgb, logistic, forest, or the import path of another classifier, package.module:Class. params: its own."""

    name: str = "hgb"
    params: dict[str, Scalar] = {}


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values to draw from: whole numbers if both ends are, both included. log: small ones as often as large ones."""

    low: float | int
    high: float | int
    log: bool = False

    @property
    def wrong(self) -> str:
        """Why nothing can be drawn, "" where it can."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            return f"low {self.low} must be below high {self.high}"
        return f"low {self.low} has no logarithm: make it positive, or log false" if self.log and self.low <= 0 else ""


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Successive halving: candidates are drawn from the space and compared on few rows; the best third goes on to three
    times as many. space: parameter -> a span or a list of values. scoring: a scikit-learn scorer. folds: of each
    comparison.
    """

    space: dict[str, Span | tuple[Scalar, ...]]
    candidates: int = 27
    folds: int = 3
    scoring: str = "roc_auc"

    def __post_init__(self) -> None:
        if not self.space:
            raise ValueError("space is empty: name a parameter to search, or leave search out")
        for name, values in self.space.items():
            wrong = values.wrong if isinstance(values, Span) else "" if values else "no value to try"
            if wrong:
                raise ValueError(f"space.{name}: {wrong}")
        if not 2 <= self.candidates <= 1000:
            raise ValueError(f"candidates is {self.candidates}: give 2 to 1000")
        if not 2 <= self.folds <= 20:
            raise ValueError(f"folds is {self.folds}: give 2 to 20")


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to decide, chosen on the validation rows. rule: "best_f1"; "cost": the least mean cost; "precision": the
    most positives found at a precision of at least `target`; "fixed": at `value`.
    """

    rule: Literal["best_f1", "cost", "precision", "fixed"] = "best_f1"
    target: float | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        if self.rule == "precision" and (self.target is None or not 0 < self.target <= 1):
            raise ValueError(f"target is {self.target}: rule precision needs a precision above 0, at most 1")
        if self.rule == "fixed" and (self.value is None or not 0 <= self.value <= 1):
            raise ValueError(f"value is {self.value}: rule fixed needs a score between 0 and 1")
        if (self.target is not None and self.rule != "precision") or (self.value is not None and self.rule != "fixed"):
            raise ValueError(f"rule is {self.rule}: target goes with rule precision, value with rule fixed")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """model: the registered model's name. data: a folder with a dataset.toml, or that file; relative to the config's.

    seed: the same seed, data and code give the same model. alias: what the new version becomes. window: of the stream,
    such as 1h: learn natural variation from windows so long. segments: columns of the data (features or not) by which
    test rows can be told apart later. folds: of the cross-validation over the training rows. jobs: processes for search
    and cross-validation, 0: as many as there are processors; the result does not depend on it. pictures, card: of what
    is shown; no score depends on them.
    """

    model: str
    data: str
    seed: int = 0
    alias: str = "challenger"
    split: Split = Split()
    checks: Checks = Checks()
    prepare: Preparation = Preparation()
    estimator: EstimatorChoice = EstimatorChoice()
    search: Search | None = None
    folds: int = 5
    calibration: Literal["none", "sigmoid", "isotonic"] = "none"
    threshold: Threshold = Threshold()
    costs: Costs = Costs()
    segments: tuple[str, ...] = ()
    window: str | None = None
    jobs: int = 0
    pictures: Pictures = Pictures()
    card: Card = Card()

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is {self.seed}: give 0 to {2**32 - 1}")
        if not 2 <= self.folds <= 20:
            raise ValueError(f"folds is {self.folds}: give 2 to 20")
        if not 0 <= self.jobs <= 64:
            raise ValueError(f"jobs is {self.jobs}: give 0 to 64")


def read_config(file: Path) -> Config:
    """Read a training.yaml. Raises ConfigError that names the field, or SettingsError for a name that is none."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--config {file}: {error.strerror}: give the path of a training.yaml") from error
    config = read_yaml(text, Config, str(file), ConfigError)
    try:
        check_model(config.model, "model")
        check_alias(config.alias, "alias")
    except SettingsError as error:
        raise ConfigError(f"{file}: {error}") from error
    return config
