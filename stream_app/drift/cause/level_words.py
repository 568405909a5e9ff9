"""One sentence for each cause of a categorical feature, a boolean or the decision."""

from __future__ import annotations

from contracts.baseline import DECISION
from contracts.binning import Levels
from stream_app.drift.cause.numbers import percent
from stream_app.drift.cause.sentences import subject

_BOOLEAN = {"false", "true"}


class LevelWords:
    """The sentences about one feature. p, q: shares before and now."""

    def __init__(self, name: str, levels: Levels) -> None:
        self._name, self._levels = name, levels
        self._boolean = not levels.rest and set(levels.levels) <= _BOOLEAN

    def level(self, at: int) -> str:
        """How the level of this bin is called.

        >>> LevelWords("carrier", Levels(("AA",), rest=("B6", "UA"))).level(1)
        'the 2 rarest levels together'
        """
        if at == self._levels.other:
            rest = len(self._levels.rest)
            return f"the {rest} rarest levels together" if rest != 1 else f"level {self._levels.rest[0]!r}"
        return f"level {self._levels.levels[at]!r}"

    def new(self, share: float) -> str:
        """
        >>> LevelWords("carrier", Levels(("AA",))).new(.02)
        'carrier: 2 % of rows have a level that the reference never had'
        """
        if share == 1:
            return self._of("all rows have levels that the reference never had (written another way?)")
        return self._of(f"{percent(share)} of rows have a level that the reference never had")

    def renamed(self, gone: list[int], p: float, q: float, unseen: float) -> str:
        """p, q: of all that are gone together.

        >>> LevelWords("carrier", Levels(("AA", "UA"))).renamed([0], .09, 0, .088)
        "carrier: level 'AA' is gone (9 % -> 0 %), 8.8 % of rows have a level that the reference never had (renamed?)"
        """
        new = f"{percent(unseen)} of rows have a level that the reference never had (renamed?)"
        if len(gone) == 1:
            return self._of(f"{self.level(gone[0])} is gone ({percent(p)} -> {percent(q)}), {new}")
        more = f"{len(gone)} levels are gone, {self.level(gone[0])} first of all"
        return self._of(f"{more} (together {percent(p)} -> {percent(q)}), {new}")

    def gone(self, at: int, p: float, q: float, instead: str) -> str:
        """instead: the sentence part about the level that took its share, or nothing.

        >>> LevelWords("carrier", Levels(("AA", "UA"))).gone(0, .09, 0, "")
        "carrier: level 'AA' is gone (9 % -> 0 %)"
        """
        return self._of(f"{self.level(at)} is gone ({percent(p)} -> {percent(q)}){', ' + instead if instead else ''}")

    def took_it(self, at: int, p: float, q: float) -> str:
        """The part about a known level that grew by as much as another lost."""
        return f"{self.level(at)} grew by as much ({percent(p)} -> {percent(q)})"

    def changed(self, at: int, p: float, q: float) -> str:
        """One level's share grew or shrank.

        >>> LevelWords("carrier", Levels(("AA", "UA"))).changed(1, .2, .48)
        "carrier: level 'UA' 20 % -> 48 %"
        >>> LevelWords("is_new", Levels(("false", "true"))).changed(1, .2, .48)
        'is_new: true in 20 % -> 48 % of rows'
        >>> LevelWords("prediction:decision", Levels(("false", "true"))).changed(0, .88, .81)
        'the decision: positive in 12 % -> 19 % of rows'
        """
        if self._boolean and at < self._levels.other:
            if self._levels.levels[at] == "false":
                p, q = 1 - p, 1 - q
            what = "positive" if self._name == DECISION else "true"
            return self._of(f"{what} in {percent(p)} -> {percent(q)} of rows")
        if q == 1:
            return self._of(f"all rows are {self.level(at)} ({percent(p)} in the reference)")
        return self._of(f"{self.level(at)} {percent(p)} -> {percent(q)}")

    def reshaped(self, at: int, p: float, q: float) -> str:
        """
        >>> LevelWords("dest", Levels(("ATL", "ORD"))).reshaped(1, .05, .061)
        "dest: the shares of many levels changed, most of all level 'ORD' 5 % -> 6.1 %"
        """
        most = f"most of all {self.level(at)} {percent(p)} -> {percent(q)}"
        return self._of(f"the shares of many levels changed, {most}")

    def _of(self, text: str) -> str:
        return f"{subject(self._name)}: {text}"
