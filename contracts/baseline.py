"""Baseline: what a model version saw when all was well. It travels with the version and is all that the stream needs.

It holds the feature schema, one reference histogram per monitored feature and one of the score, the decision threshold
with the reference's share of positives, the reference performance, and where all of it came from.
"""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np

from contracts.binning import Binning, Bins, Levels
from contracts.dependence import ScoreDependence
from contracts.errors import ContractError, InvalidBaseline
from contracts.events import EventDecoder, version_decoder
from contracts.histogram import Histogram
from contracts.histogram_row import RowLayout
from contracts.outcomes import Costs, Outcomes, Residuals
from contracts.schema import FeatureSchema
from contracts.times import UtcTime
from contracts.variation import BetweenWindows, LearntNull, NaturalVariation

SCORE = "prediction:score"
"""What the model puts out is watched like a feature, under this name."""
DECISION = "prediction:decision"
"""The share of positive decisions, under this name."""


class BridgeTable(msgspec.Struct, frozen=True):
    """Null distribution of sqrt(n) * KS for a feature with ties: a tabulated supremum of a Brownian bridge.

    x: rising values of the statistic. p: the upper tail probability of each. sigma: standard deviation of the bridge
    at its widest, for the Gaussian tail beyond the table.
    """

    x: tuple[float, ...]
    p: tuple[float, ...]
    sigma: float


class Reference(msgspec.Struct, frozen=True, dict=True):
    """The reference histogram of one feature or of the score.

    counts: one per bin. bridge: None for a continuous feature (the Kolmogorov distribution fits) or a categorical one.
    natural: by the name of a metric, its null learnt from the reference's own windows. dependence: of the model's score
    on this feature, None where there were no scores. singles: levels that occurred once, None where nobody counted.
    """

    bins: Bins | Levels
    counts: tuple[int, ...]
    missing: int = 0
    minimum: float | None = None
    maximum: float | None = None
    bridge: BridgeTable | None = None
    natural: dict[str, LearntNull] = {}
    dependence: ScoreDependence | None = None
    singles: int | None = None

    def __post_init__(self) -> None:
        if len(self.counts) != self.bins.size:
            raise InvalidBaseline(f"{len(self.counts)} counts for {self.bins.size} bins")
        if min(self.counts) < 0 or self.missing < 0 or (self.singles or 0) < 0:
            raise InvalidBaseline("a count is negative")
        if self.dependence is not None:
            self.dependence.check_bins(self.bins.size, levels=isinstance(self.bins, Levels))

    @cached_property
    def histogram(self) -> Histogram:
        """As a histogram; shared, not to be added to."""
        histogram = Histogram(self.bins)
        histogram.counts += np.array(self.counts, dtype=np.int64)
        histogram.missing, histogram.minimum, histogram.maximum = self.missing, self.minimum, self.maximum
        return histogram

    @classmethod
    def of(cls, histogram: Histogram, bridge: BridgeTable | None = None) -> Reference:
        """Freeze a histogram."""
        counts = tuple(histogram.counts.tolist())
        return cls(histogram.bins, counts, histogram.missing, histogram.minimum, histogram.maximum, bridge)

    @classmethod
    def empty(cls, bins: Binning) -> Reference:
        """No value at all over the given bins."""
        return cls.of(Histogram(bins))


class Positives(msgspec.Struct, frozen=True):
    """How often the reference was decided positively: `count` of `rows` had score >= threshold."""

    count: int
    rows: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.rows:
            raise InvalidBaseline(f"{self.count} positives of {self.rows} rows")


class Baseline(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The baseline of one model version; see the module's head. `features` has exactly the schema's monitored ones.

    natural: how natural variation was learnt, None where it was not asked for; natural_positives: the decision's null;
    natural_performance: by the name of a measure, how its windows vary, empty where that is not known.
    outcomes: how the validation rows' scores turned out, over the bins of `score`; residuals: the same of a regression;
    both None where no truth was known: then performance has no reference. costs: of decisions, None where nobody said.
    """

    model: str
    version: str
    schema: FeatureSchema
    features: dict[str, Reference]
    score: Reference
    created: UtcTime
    rows: int
    threshold: float | None = None
    positives: Positives | None = None
    performance: dict[str, float] = {}
    data_digest: str = ""
    code_revision: str = ""
    natural: NaturalVariation | None = None
    natural_positives: dict[str, LearntNull] = {}
    outcomes: Outcomes | None = None
    residuals: Residuals | None = None
    costs: Costs | None = None
    natural_performance: dict[str, BetweenWindows] = {}
    v: Literal[1] = 1

    def __post_init__(self) -> None:
        if not self.model or not self.version:
            raise InvalidBaseline("model and version must not be empty")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InvalidBaseline(f"the threshold is {self.threshold}: it must be finite, or nothing is ever decided")
        if self.outcomes is not None and len(self.outcomes.negatives) != self.score.bins.size:
            raise InvalidBaseline(
                f"outcomes in {len(self.outcomes.negatives)} bins, the score has {self.score.bins.size}"
            )
        monitored = [feature.name for feature in self.schema.monitored]
        if sorted(monitored) != sorted(self.features):
            odd = sorted(set(monitored) ^ set(self.features))
            raise InvalidBaseline(f"reference histograms and monitored features differ: {', '.join(odd)}")
        for feature in self.schema.monitored:
            expected = Bins if feature.kind == "numeric" else Levels
            if not isinstance(self.features[feature.name].bins, expected):
                raise InvalidBaseline(f"feature {feature.name!r} is {feature.kind}, its reference is not")

    @property
    def key(self) -> str:
        """`model/version`: the record's key on the topic `baselines`."""
        return f"{self.model}/{self.version}"

    @cached_property
    def digest(self) -> str:
        """16 hex digits that name this baseline and no other: windows state against which one they were counted.

        Of the bytes as they were read: workers of two versions name a baseline alike also where one of them knows
        fields that the other does not.
        """
        return hashlib.sha256(self._encoded).hexdigest()[:16]

    @cached_property
    def events(self) -> EventDecoder:
        """The decoder of this version's events, and of no other's."""
        return version_decoder(self.schema, self.model, self.version)

    @cached_property
    def layout(self) -> RowLayout:
        """Of a window's histograms: the monitored features in schema order, then the score."""
        features = [self.features[feature.name].bins for feature in self.schema.monitored]
        return RowLayout([*features, self.score.bins])

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def _encoded(self) -> bytes:
        return _encode(self)

    def to_bytes(self) -> bytes:
        """JSON, UTF-8. One that was read is handed on byte by byte, with what a later version may have added."""
        return self._encoded

    @staticmethod
    def from_bytes(data: bytes) -> Baseline:
        """Read a baseline. Raises InvalidBaseline."""
        try:
            baseline = _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ContractError) as error:
            raise InvalidBaseline(f"not a baseline: {error}") from error
        baseline.__dict__["_encoded"] = bytes(data)
        return baseline


_encode = msgspec.json.Encoder(order="deterministic").encode
_decoder = msgspec.json.Decoder(Baseline)
