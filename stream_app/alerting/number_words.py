"""Numbers as alerts write them. Pure."""

from __future__ import annotations


def fraction(value: float) -> str:
    """Two places, as statisticians write a distance.

    >>> fraction(0.2081), fraction(1.0)
    ('.21', '1.00')
    """
    text = f"{value:.2f}"
    return text.removeprefix("0") if text.startswith("0.") else text


def p_words(value: float) -> str:
    """A p-value as it is written.

    >>> p_words(3.2e-41), p_words(0.0), p_words(0.004)
    ('3e-41', '< 1e-300', '0.004')
    """
    if value < 1e-300:
        return "< 1e-300"
    return f"{value:.0e}" if value < 1e-3 else f"{value:.1g}"


def percent(rate: float) -> str:
    """A rate as it is written.

    >>> percent(0.31), percent(0.004)
    ('31 %', '0.4 %')
    """
    return f"{100 * rate:.2g} %" if rate < 0.1 else f"{100 * rate:.0f} %"
