"""The units that get mixed up: by which factor, and the words for it.

A value that was `x` in the reference's unit arrives as `factor * x + offset`.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

from stream_app.drift.cause.points import Floats

Number = TypeVar("Number", float, Floats)

_COMMON, _USUAL, _RARE, _SELDOM = 0.0, 2.5, 6.0, 8.0
"""Surprises: how much log-likelihood a mix-up of this kind has to bring beyond what chance would."""
_IMPLAUSIBLE = 5.0
_NEAR = 0.025
_FAHRENHEIT, _CELSIUS, _KELVIN = (-130.0, 250.0), (-90.0, 120.0), (180.0, 400.0)


class Unit(NamedTuple):
    """One mix-up. words: "miles -> kilometres". surprise: how much log-likelihood it has to bring first.

    plausible: what the reference's values can be in the unit before.
    """

    words: str
    factor: float
    offset: float = 0.0
    surprise: float = _RARE
    plausible: tuple[float, float] = (-math.inf, math.inf)

    def apply(self, values: Number) -> Number:
        """What a value, or each of an array, becomes."""
        return values * self.factor + self.offset

    def surprise_at(self, lowest: float, highest: float) -> float:
        """Of a reference that reaches from `lowest` to `highest`."""
        usual = self.plausible[0] <= lowest and highest <= self.plausible[1]
        return self.surprise + (0.0 if usual else _IMPLAUSIBLE)

    def undo(self, value: Number) -> Number:
        """The value that becomes `value`, or each of an array."""
        return (value - self.offset) / self.factor


_RATIOS: tuple[tuple[float, str, str, float], ...] = (
    # factor, its words, the words of its inverse, surprise
    (1.609344, "miles -> kilometres", "kilometres -> miles", _COMMON),
    (2.204623, "kilograms -> pounds", "pounds -> kilograms", _USUAL),
    (3.28084, "metres -> feet", "feet -> metres", _USUAL),
    (100.0, "fraction -> percent, or units -> cents", "percent -> fraction, or cents -> units", _COMMON),
    (1000.0, "thousands -> units", "units -> thousands", _COMMON),
    (60.0, "minutes -> seconds, or hours -> minutes", "seconds -> minutes, or minutes -> hours", _USUAL),
    (10.0, "a decimal place to the left", "a decimal place to the right", _RARE),
    (3600.0, "hours -> seconds", "seconds -> hours", _USUAL),
    (2.54, "inches -> centimetres", "centimetres -> inches", _RARE),
    (25.4, "inches -> millimetres", "millimetres -> inches", _RARE),
    (12.0, "years -> months, or feet -> inches", "months -> years, or inches -> feet", _RARE),
    (24.0, "days -> hours", "hours -> days", _RARE),
    (7.0, "weeks -> days", "days -> weeks", _RARE),
    (365.25, "years -> days", "days -> years", _RARE),
    (86400.0, "days -> seconds", "seconds -> days", _RARE),
    (1e6, "millions -> units", "units -> millions", _RARE),
    (3.6, "metres/s -> kilometres/h", "kilometres/h -> metres/s", _RARE),
    (2.236936, "metres/s -> miles/h", "miles/h -> metres/s", _RARE),
    (1.943844, "metres/s -> knots", "knots -> metres/s", _RARE),
    (1.852, "nautical miles -> kilometres", "kilometres -> nautical miles", _RARE),
    (1.150779, "knots -> miles/h", "miles/h -> knots", _SELDOM),
    (3.785412, "gallons -> litres", "litres -> gallons", _RARE),
    (4.184, "kilocalories -> kilojoules", "kilojoules -> kilocalories", _RARE),
    (6.894757, "psi -> kilopascals", "kilopascals -> psi", _RARE),
    (33.86389, "inches of mercury -> hectopascals", "hectopascals -> inches of mercury", _RARE),
    (28.34952, "ounces -> grams", "grams -> ounces", _RARE),
    (2.0, "counted twice", "halved", _RARE),
)

UNITS: tuple[Unit, ...] = (
    *(Unit(words, factor, 0.0, surprise) for factor, words, _, surprise in _RATIOS),
    *(Unit(words, 1 / factor, 0.0, surprise) for factor, _, words, surprise in _RATIOS),
    Unit("sign flipped", -1.0, 0.0, _USUAL),
    Unit("Fahrenheit -> Celsius", 5 / 9, -160 / 9, _USUAL, _FAHRENHEIT),
    Unit("Celsius -> Fahrenheit", 9 / 5, 32.0, _USUAL, _CELSIUS),
    Unit("Kelvin -> Celsius", 1.0, -273.15, _USUAL, _KELVIN),
    Unit("Celsius -> Kelvin", 1.0, 273.15, _USUAL, _CELSIUS),
)
"""To add one: a line above."""


def near_a_unit(factor: float) -> bool:
    """Whether a factor is that of a unit but for its noise.

    >>> near_a_unit(1.63), near_a_unit(1.3), near_a_unit(0.0102)
    (True, False, True)
    """
    return any(
        unit.offset == 0 and unit.surprise < _SELDOM and abs(math.log(factor / unit.factor)) < _NEAR
        for unit in UNITS
        if unit.factor > 0
    )
