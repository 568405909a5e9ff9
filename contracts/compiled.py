"""Compiled: the form of a model that scores fast, and a sample by which whoever loads it finds out whether it is right.

MessagePack, beside `baseline.json` among the version's files. Training writes it where it gives the model's own scores;
the api checks the sample once more and otherwise scores with the model itself. Tables only: nothing in it is code.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import msgspec

from contracts.encoder import Block, Row
from contracts.errors import ContractError, InvalidCompiled
from contracts.formats import refuse_newer
from contracts.trees import TreeTables

MAX_BYTES = 256 << 20
MAX_SAMPLE = 10_000

EXPORT_TOLERANCE = 1e-9
"""Training writes no compiled form whose scores differ by more from the model's own. Seen: 1e-15."""

LOAD_TOLERANCE = 1e-6
"""The api serves no compiled form that differs by more: another processor or library may round otherwise, a little."""

Link = Literal["logistic", "identity"]

Refuses = Literal["nothing", "infinite", "not finite"]
"""Which values among the encoded columns the model itself answers with an error."""


class Forest(msgspec.Struct, frozen=True, tag="forest"):
    """(base + the sum of the leaves) / divisor. narrow: columns are rounded to float32 first, as forests do."""

    trees: TreeTables
    base: float = 0.0
    divisor: float = 1.0
    narrow: bool = False


class Linear(msgspec.Struct, frozen=True, omit_defaults=True, tag="linear"):
    """The columns times the coefficients, plus the intercept.

    means: of the columns over the reference, what an explanation compares with; empty where they are not known.
    """

    coefficients: tuple[float, ...]
    intercept: float
    means: tuple[float, ...] = ()


class Sigmoid(msgspec.Struct, frozen=True, tag="sigmoid"):
    """Platt's calibration: score = 1 / (1 + exp(-(slope * value + intercept))), in place of the link."""

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept)):
            raise InvalidCompiled(f"sigmoid: slope {self.slope}, intercept {self.intercept}")


class Isotonic(msgspec.Struct, frozen=True, tag="isotonic"):
    """Calibration by a rising function, in place of the link: the score is linear between the points (at, score), and
    that of the nearest point outside of them.
    """

    at: tuple[float, ...]
    score: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.at or len(self.at) != len(self.score):
            raise InvalidCompiled(f"isotonic: {len(self.at)} points and {len(self.score)} scores")
        if not all(map(math.isfinite, (*self.at, *self.score))):
            raise InvalidCompiled("isotonic: a number is not finite")
        if any(a >= b for a, b in pairwise(self.at)) or any(a > b for a, b in pairwise(self.score)):
            raise InvalidCompiled("isotonic: the points do not rise")


class Sample(msgspec.Struct, frozen=True):
    """Rows, poisoned ones among them, and the model's own scores of them; None: the model refuses the row."""

    rows: tuple[Row, ...]
    scores: tuple[float | None, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.rows) <= MAX_SAMPLE or len(self.rows) != len(self.scores):
            raise InvalidCompiled(f"the sample has {len(self.rows)} rows and {len(self.scores)} scores")
        if not any(score is not None for score in self.scores):
            raise InvalidCompiled("the sample has no row with a score")
        if any(score is not None and not math.isfinite(score) for score in self.scores):
            raise InvalidCompiled("the sample has a score that is not finite")


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """The compiled form of one model version.

    features: the schema's names in order, what a row consists of. link: what makes a score of the function's value.
    calibration: makes a score of the function's value instead of the link. made_with: the library and version whose
    model it was.

    A reader from before calibrations ignores the field, finds that the sample's scores differ and lets the model score.
    """

    model: str
    version: str
    features: tuple[str, ...]
    blocks: tuple[Block, ...]
    function: Forest | Linear
    link: Link
    refuses: Refuses
    sample: Sample
    made_with: str = ""
    calibration: Sigmoid | Isotonic | None = None
    v: Literal[1] = 1

    def __post_init__(self) -> None:
        if any(len(row) != len(self.features) for row in self.sample.rows):
            raise InvalidCompiled(f"a row of the sample has not {len(self.features)} values")

    @property
    def key(self) -> str:
        """`model/version`, as of the baseline."""
        return f"{self.model}/{self.version}"

    def to_bytes(self) -> bytes:
        """MessagePack."""
        return _encode(self)

    @staticmethod
    def from_bytes(data: bytes) -> Compiled:
        """Read one. Raises InvalidCompiled or NewerFormat. contracts.compiled_scorer checks the tables themselves."""
        if len(data) > MAX_BYTES:
            raise InvalidCompiled(f"not a compiled model: more than {MAX_BYTES} bytes")
        try:
            return _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ContractError) as error:
            refuse_newer(data, "the compiled model")
            raise InvalidCompiled(f"not a compiled model: {error}") from error


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Compiled)
