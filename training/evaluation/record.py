"""Evaluation: what is known of a trained version before anyone relies on it. It travels with the version in MLflow.

Two files among the version's artifacts: EVALUATION_FILE, this struct as JSON; TEST_FILE, the test rows themselves, so
that another version can be asked about the same rows later (training.evaluation.held_out).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.outcomes import Costs as Costs  # of a version's evaluation as of its baseline
from contracts.times import UtcTime

EVALUATION_FOLDER = "evaluation"
EVALUATION_FILE = "evaluation/evaluation.json"
TEST_FILE = "evaluation/test.parquet"
LABEL_COLUMN = "__label__"
TIME_COLUMN = "__time__"
SCORE_COLUMN = "__score__"
"""Columns of TEST_FILE beside the features and the segment columns: truth 0 or 1; event time in milliseconds since the
epoch (only where the data has times); the score that the version itself gave the row when it was trained.
"""

PartName = Literal["train", "validation", "test"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with one purpose. first, last: their earliest and latest time, None where times are not known."""

    rows: int
    positives: int
    first: UtcTime | None = None
    last: UtcTime | None = None


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """How scores were made probabilities. error_before, error_after: expected calibration error on the test rows of the
    estimator's own scores and of the calibrated ones (equal where method is "none").
    """

    method: Literal["none", "sigmoid", "isotonic"] = "none"
    error_before: float
    error_after: float


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """What the search for hyperparameters found. score: the best candidate's mean `scoring` over the folds; default:
    the same of the parameters that the configuration gives without a search, on the same folds. rounds: candidates of
    each round. params: the best candidate's, as JSON values.
    """

    scoring: str
    candidates: int
    rounds: tuple[int, ...]
    score: float
    default: float | None
    params: dict[str, float | int | str | bool | None]
    seconds: float


class ScorerSize(msgspec.Struct, frozen=True, kw_only=True):
    """What serving a version takes. kind: "compiled-trees", "compiled-linear", or "model" where there is no such form.
    bytes: of the file that the api loads; one_row, batch_row: processor time of scoring, microseconds a row, alone and
    in a batch of 64. difference: the compiled scores' largest one from the model's own; None without a compiled form.
    said: the same for people.
    """

    kind: str
    bytes: int
    one_row: float
    batch_row: float
    difference: float | None = None
    said: str = ""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Of one version. Metrics are named as in training.evaluation.measures, with calibration_error (10 groups of
    equal rows) and cost (mean of a row, by `costs`).

    threshold: decide positively at this score; chosen on the validation rows, as threshold_rule says. metrics: of the
    test rows, which nothing was chosen by. validation: of the validation rows, flattered by calibration and threshold.
    folds: of each fold of the cross-validation over the training rows (at threshold_rule applied to that fold's own
    scores). rows: by part. segments: columns of TEST_FILE, features or not, by which its rows can be told apart; the
    fairness gate looks at them. data_digest: SHA-256 of the data as loaded, 64 hex digits. scores_digest: SHA-256 of
    the test rows' scores, little-endian float64, in the test file's order. config: of the training, as JSON.
    environment: library -> version. seconds: step -> how long. importance: feature -> loss of AUC where its values are
    exchanged (training.pictures.importance), the largest first. reference: the rows whose features the baseline counts,
    None: of a version that does not say so, which counts all.
    """

    model: str
    version: str
    created: UtcTime
    data: str
    data_digest: str
    scores_digest: str
    code_revision: str
    seed: int
    estimator: str
    params: dict[str, str]
    split: Literal["stratified", "time"]
    rows: dict[PartName, Part]
    threshold: float
    threshold_rule: str
    costs: Costs
    metrics: dict[str, float]
    validation: dict[str, float]
    folds: tuple[dict[str, float], ...]
    calibration: Calibrated
    search: Searched | None
    scorer: ScorerSize
    model_bytes: int
    segments: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = {}
    config: str = ""
    importance: dict[str, float] = {}
    reference: Part | None = None
    v: Literal[1] = 1

    def to_bytes(self) -> bytes:
        """JSON, indented: it is read by people too."""
        return msgspec.json.format(_encode(self), indent=2)

    @staticmethod
    def from_bytes(data: bytes) -> Evaluation:
        """Read one. Raises InvalidMessage."""
        try:
            return _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidMessage(f"not an evaluation: {error}") from error

    def spread(self, metric: str) -> float:
        """Standard deviation of a metric over the folds (with n - 1), 0 for fewer than two folds."""
        values = [fold[metric] for fold in self.folds if metric in fold]
        if len(values) < 2:
            return 0.0
        mean = sum(values) / len(values)
        return float((sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5)


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Evaluation)
