"""Errors of training. Each text is one line that names what is wrong and says what to do.

TrainingError
├── DataError          a data file, its description or a column that cannot be used
├── UnknownEstimator   an estimator that is not in the table
├── RegistryError      MLflow refused or could not be reached
│   └── UnknownOutcome  it went away while the champion was being changed
├── NotCompilable      an estimator that has no compiled form; never reaches the user as an error
├── PublishError       Kafka refused or could not be reached
├── GateError          a gate that cannot be asked: what it needs is missing
├── PromotionError     a version that may not be promoted now, or nothing to roll back to
│   └── Objected        its gates do not let it through
├── CollectError       there is nothing to collect, or it cannot be written
├── ConfigError        a field of training.yaml that is wrong or missing
└── SettingsError      a TRAINING_* setting, or a name on the command line, that is wrong or missing
"""

from __future__ import annotations


class TrainingError(Exception):
    """Training cannot go on; the text is meant for the user."""


class DataError(TrainingError):
    """A data file, its description or one of its columns cannot be used."""


class UnknownEstimator(TrainingError):
    """No estimator of this name; the text lists those there are."""


class RegistryError(TrainingError):
    """MLflow refused or could not be reached."""


class UnknownOutcome(RegistryError):
    """MLflow went away while the champion was being changed: nobody knows whether it has."""


class NotCompilable(TrainingError):
    """A fitted estimator has no compiled form; the text says why. Its version is served all the same."""


class PublishError(TrainingError):
    """Kafka refused or could not be reached."""


class CollectError(TrainingError):
    """Predictions and labels cannot be collected: there are none, or the disk refused."""


class GateError(TrainingError):
    """The gates cannot be asked: the version, or what was said of them, lacks something."""


class PromotionError(TrainingError):
    """A version may not become the champion now; the text says why, and who else is at it."""


class Objected(PromotionError):
    """The gates object, or say nothing of it: waiting does not help. Any other PromotionError may pass."""


class SettingsError(TrainingError):
    """A TRAINING_* setting is wrong or missing."""


class ConfigError(TrainingError):
    """A field of training.yaml is wrong or missing; the text names it."""
