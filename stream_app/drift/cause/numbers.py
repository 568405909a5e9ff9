"""Numbers as people write them."""

from __future__ import annotations

import math

_PLAIN = 1e9
_SMALL = 1e-4
_NOTHING = 1e-300
"""The smallest number above 0 is an edge of a bin; nobody means it."""


def number(value: float) -> str:
    """Three places that count, whole numbers in full up to a thousand millions.

    >>> number(1.609344), number(38.02), number(0.0), number(1013.0), number(1234567.0), number(1013.25)
    ('1.61', '38', '0', '1,013', '1,234,567', '1,013')
    >>> number(-999.0), number(1e9), number(0.000012), number(2.5), number(0.0254), number(math.inf)
    ('-999', '1e9', '1.2e-5', '2.5', '0.0254', 'infinity')
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "infinity" if value > 0 else "-infinity"
    size = abs(value)
    if size < _NOTHING:
        return "0"
    if size >= _PLAIN or size < _SMALL:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{_trimmed(digits)}e{int(exponent)}"
    places = 0 if value == round(value) else max(0, 2 - math.floor(math.log10(size)))
    return _trimmed(f"{value:,.{places}f}")


def exact(value: float) -> str:
    """As `number`, but with up to six places: of a value that was seen, a person may want to look for it.

    >>> exact(1013.25), exact(7.0), exact(0.1), exact(1e9), exact(2 / 3), exact(-12345.5)
    ('1,013.25', '7', '0.1', '1e9', '0.666667', '-12,345.5')
    """
    size = abs(value)
    if not math.isfinite(value) or size == 0 or size >= _PLAIN or size < _SMALL or value == round(value):
        return number(value)
    return _trimmed(f"{value:,.{max(0, 5 - math.floor(math.log10(size)))}f}")


def signed(value: float) -> str:
    """
    >>> signed(38.0), signed(-0.25)
    ('+38', '-0.25')
    """
    return number(value) if value < 0 else f"+{number(value)}"


def percent(share: float) -> str:
    """A share of rows; never 0 % of what is there, nor 100 % of what is not all.

    >>> percent(0.333), percent(0.0213), percent(0.004), percent(1.0), percent(0.9996), percent(0.0), percent(0.00001)
    ('33 %', '2.1 %', '0.4 %', '100 %', 'almost 100 %', '0 %', 'under 0.01 %')
    >>> percent(0.0996), percent(0.98764)
    ('10 %', '98.8 %')
    """
    hundredths = 100 * share
    if share in (0, 1):
        return f"{hundredths:.0f} %"
    if hundredths < 0.01:
        return "under 0.01 %"
    if hundredths > 99.95:
        return "almost 100 %"
    if hundredths > 95:
        return f"{_trimmed(f'{hundredths:.1f}')} %"
    return f"{hundredths:.0f} %" if hundredths >= 9.95 else f"{_trimmed(f'{hundredths:.2g}')} %"


def _trimmed(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
