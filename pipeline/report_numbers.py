"""Numbers of the report as text: one form for each kind of quantity, and one word for what has no value."""

import math
from datetime import datetime

from assurance.bootstrap import Interval

UNDEFINED = "not defined"
"""What stands for a figure that has no value; the reason stands beside it."""

_GAP = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def percent(share: float | None, digits: int = 0) -> str:
    r"""A share as a percentage; its sign never stands on a line alone.

    >>> percent(0.304), percent(0.304, 1), percent(None)
    ('30\xa0%', '30.4\xa0%', 'not defined')
    """
    if share is None or not math.isfinite(share):
        return UNDEFINED
    return f"{share * 100:.{digits}f}{_GAP}%".replace("-", _MINUS)


def percents(interval: Interval, digits: int = 1) -> str:
    r"""The limits of an interval of shares.

    >>> percents(Interval(estimate=0.5, low=0.2, high=0.8))
    '20.0\xa0% to 80.0\xa0%'
    """
    return f"{percent(interval.low, digits)} to {percent(interval.high, digits)}"


def number(value: float | None, digits: int = 3) -> str:
    """A number, or that it has no value.

    >>> number(0.12345), number(None), number(-0.5, 1)
    ('0.123', 'not defined', '−0.5')
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    return f"{value:.{digits}f}".replace("-", _MINUS)


def span(interval: Interval, *, sign: bool = False) -> str:
    """The limits of an interval in words that are read aloud rightly.

    >>> span(Interval(estimate=0.7, low=0.65, high=0.75)), span(Interval(estimate=0.1, low=-0.02, high=0.2), sign=True)
    ('0.650 to 0.750', '−0.020 to +0.200')
    """
    form = "+.3f" if sign else ".3f"
    return f"{interval.low:{form}} to {interval.high:{form}}".replace("-", _MINUS)


def signed(value: float) -> str:
    """A difference, with its sign.

    >>> signed(-0.0421)
    '−0.042'
    """
    return f"{value:+.3f}".replace("-", _MINUS)


def usd(amount: float) -> str:
    """An amount of money, with as many digits as tell it apart from nothing.

    >>> usd(1234.5), usd(0.0123), usd(-2), usd(0)
    ('$1,234.50', '$0.0123', '−$2.00', '$0')
    """
    size = abs(amount)
    if size == 0:
        return "$0"
    digits = 2 if size >= 1 else min(8, 2 - math.floor(math.log10(size)))
    return f"{_MINUS if amount < 0 else ''}${size:,.{digits}f}"


def usd_span(interval: Interval) -> str:
    """The limits of an amount.

    >>> usd_span(Interval(estimate=2, low=1, high=3))
    '$1.00 to $3.00'
    """
    return f"{usd(interval.low)} to {usd(interval.high)}"


def when(moment: str) -> str:
    """A moment as people write it; what is no ISO moment stands as it is.

    >>> when("2026-11-24T13:21:00+00:00"), when("yesterday")
    ('24 November 2026, 13:21 UTC', 'yesterday')
    """
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    zone = found.tzname() or ""
    return f"{day(found)}, {found:%H:%M} {zone}".rstrip()


def day(moment: datetime) -> str:
    """A day as people write it.

    >>> day(datetime(2026, 4, 2))
    '2 April 2026'
    """
    return f"{moment.day} {moment:%B %Y}"


def p_value(value: float) -> str:
    """A p-value as it is written: never zero.

    >>> p_value(0.00004), p_value(0.0312)
    ('< 0.0001', '0.0312')
    """
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
