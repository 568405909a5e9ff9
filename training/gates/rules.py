"""Rules: every threshold of the gates, as `gates.yaml` holds and explains them; what it leaves out is as here."""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec

from training.configuration.yaml_text import read_yaml
from training.errors import SettingsError

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Auc = Annotated[float, msgspec.Meta(ge=0.5, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Resamples = Annotated[int, msgspec.Meta(ge=200, le=100_000)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class NoDegradation(_Section, frozen=True):
    """How much worse than the champion the interval may reach. auc_margin: absolute. average_precision_margin: share of
    the champion's, which is small where positives are rare.
    """

    auc_margin: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.02
    average_precision_margin: Share = 0.15
    confidence: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = 0.95
    resamples: Resamples = 1000
    rows_per_class: Count = 30


class Quality(_Section, frozen=True):
    """auc: that the lower end of its interval must reach. lift: average precision over the base rate."""

    auc: Auc = 0.6
    lift: Annotated[float, msgspec.Meta(ge=1)] = 1.2


class Floor(_Section, frozen=True):
    """floor: the least that will do."""

    floor: Share = 0.1


class Balance(_Section, frozen=True):
    """mean: of sensitivity and specificity. weaker: the smaller one of the two."""

    mean: Share = 0.55
    weaker: Share = 0.1


class Fairness(_Section, frozen=True):
    """segments: columns whose rates are compared; AUC is compared in these and in those of the version's training
    config. *_gap: how far a segment may be from all rows; a segment has at least rows of them, and rows_per_class of a
    class whose rates are compared. groups: into which a column of numbers is cut.
    """

    segments: tuple[str, ...] = ()
    auc_gap: Share = 0.1
    recall_gap: Share = 0.2
    false_positive_gap: Share = 0.1
    positive_gap: Share = 0.2
    rows: Count = 200
    rows_per_class: Count = 30
    groups: Annotated[int, msgspec.Meta(ge=2, le=20)] = 4


class Stability(_Section, frozen=True):
    """spread: standard deviation of the folds' AUC. below_mean: of the worst fold. folds: the fewest."""

    spread: Share = 0.03
    below_mean: Share = 0.06
    folds: Annotated[int, msgspec.Meta(ge=2)] = 3


class Calibration(_Section, frozen=True):
    """error: expected calibration error over 10 groups of equally many rows."""

    error: Share = 0.05


class Scorer(_Section, frozen=True):
    """Processor time in microseconds a row, alone and in a batch of 64; size of the file that the API loads."""

    one_row: Positive = 10_000.0
    batch_row: Positive = 1_000.0
    megabytes: Positive = 100.0


class TrainingData(_Section, frozen=True):
    """broken_share: of the rows of one feature that may look broken. drifted: share of features that may have moved."""

    broken_share: Share = 0.05
    drifted: Share = 1.0


class Leak(_Section, frozen=True):
    """alone: AUC of a single feature that nothing honest has. first: the same of a version that has no champion.
    beside_champion: from which on a feature may not beat the whole champion. stronger: how much more one feature may
    tell than the strongest one of the champion's test rows did. auc: of the version itself, beyond which it is too good
    to be true.
    """

    alone: Auc = 0.95
    first: Auc = 0.85
    beside_champion: Auc = 0.7
    stronger: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.1
    auc: Auc = 0.995


class Rules(_Section, frozen=True):
    """One section for each gate that has a threshold."""

    no_degradation: NoDegradation = NoDegradation()
    quality: Quality = Quality()
    precision: Floor = Floor()
    recall: Floor = Floor()
    balance: Balance = Balance()
    fairness: Fairness = Fairness()
    stability: Stability = Stability()
    calibration: Calibration = Calibration()
    scorer: Scorer = Scorer()
    training_data: TrainingData = TrainingData()
    leak: Leak = Leak()

    @property
    def digest(self) -> str:
        """16 hex digits that name these thresholds and no others."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


def read_rules(text: bytes, file: str) -> Rules:
    """The rules that a YAML text holds; what it leaves out is as above. file: for the error. Raises SettingsError that
    names the field.
    """
    return read_yaml(text, Rules, file, SettingsError)
