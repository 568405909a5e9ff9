"""What a report says about an alarmed feature beyond its p-value: the likely cause, and the effect on the model."""

from __future__ import annotations

from typing import Literal

import msgspec

CauseKind = Literal[
    "missing",
    "spike",
    "unit",
    "ratio",
    "shift",
    "spread",
    "tail",
    "clip",
    "new_level",
    "vanished_level",
    "grown_level",
    "shrunk_level",
    "renamed",
    "out_of_range",
    "reshaped",
]
"""unit: a factor that is known from mixed-up units; ratio: any other. vanished_level: one that the reference had;
new_level: one that it had not. reshaped: the histogram changed in a way that no simple cause explains."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What most likely happened to a feature, read from its two histograms.

    share: of the window's rows that are concerned, 0 to 1. value: the spike's value, the size of the shift, the limit
    of a clip, the point that a spread or a tail starts from (in the feature's own units); or the name of the level,
    None where it is not known. to: the known level that took a vanished one's share. factor: of a unit, a ratio, a
    spread or a tail. unit: what the factor may stand for, "miles -> kilometres". explained: share of the change of the
    histogram that the cause explains, 0 to 1. sentence: all of it in words, with its numbers.
    """

    kind: CauseKind
    sentence: str
    share: float | None = None
    value: float | str | None = None
    to: str | None = None
    factor: float | None = None
    unit: str | None = None
    explained: float | None = None

    @property
    def of_data(self) -> bool:
        """Whether this looks like broken data; otherwise the world may have moved."""
        return self.kind in ("missing", "spike", "unit", "clip", "new_level", "renamed")


class ScoreChange(msgspec.Struct, frozen=True):
    """Expected change of the mean score and of the share of positive decisions (None without a threshold)."""

    score: float
    positives: float | None = None


class ModelEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature's drift does to the model's answers, estimated twice.

    if_data_broke: only this feature changed, by an error (partial dependence; None where no model could be asked).
    if_world_moved: other features moved along with it (mean score of the reference's rows like these). headline: which
    of the two the cause speaks for; it may be the one that is not known.
    """

    if_world_moved: ScoreChange
    if_data_broke: ScoreChange | None = None
    headline: Literal["data", "world"] = "world"

    @property
    def expected(self) -> ScoreChange | None:
        """The headline's change; None where that is not known."""
        return self.if_data_broke if self.headline == "data" else self.if_world_moved
