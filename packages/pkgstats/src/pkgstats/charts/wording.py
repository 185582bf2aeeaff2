"""Numbers, dates and names as a chart writes them."""

from __future__ import annotations

from datetime import date, timedelta
from html import escape
from typing import Final

NAME_MAX: Final = 40
"""Characters of a name in a legend."""

TEXT_MAX: Final = 1000
"""Characters of a title or a description."""

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not `strftime`: it follows the machine's language, the page does not."""

UNITS: Final = ("", "k", "M", "B", "T", "Q")

THOUSAND: Final = 999.5
HUNDRED: Final = 99.95
"""What is rounded to them, and more."""

EPOCH: Final = date(1970, 1, 1)


def escaped(text: str) -> str:
    """Text for an element or an attribute: without what XML forbids or what turns writing round."""
    clean = "".join(one if one.isprintable() else " " for one in text[:TEXT_MAX])
    return escape(" ".join(clean.split()))


def shortened(name: str, length: int) -> str:
    """At most so many characters. The middle goes: names in one scope differ at their ends."""
    if len(name) <= length:
        return name
    head = (length - 1) // 2
    return f"{name[:head]}…{name[head + 1 - length :]}"


def short_number(number: int) -> str:
    """``1.2M`` for 1,234,567: two or three digits, and no zero behind the point.

    999,600 are 1M: what would be rounded up to a thousand goes to the next unit.
    """
    power, scaled = 0, float(number)
    while scaled >= THOUSAND and power < len(UNITS) - 1:
        power, scaled = power + 1, scaled / 1000
    digits = 1 if power and scaled < HUNDRED else 0
    return f"{scaled:,.{digits}f}".removesuffix(".0") + UNITS[power]


def as_date(day: int) -> date:
    """A day since 1970 in the calendar."""
    return EPOCH + timedelta(days=day)


def day_text(day: int) -> str:
    """``2 Mar 2026``."""
    told = as_date(day)
    return f"{told.day} {MONTHS[told.month - 1]} {told.year}"


def month_text(day: int) -> str:
    """``Mar 2026``."""
    told = as_date(day)
    return f"{MONTHS[told.month - 1]} {told.year}"


def span_text(start: int, stop: int) -> str:
    """``2 Mar 2026``, or ``2 Mar 2026 to 4 Mar 2026``."""
    first, last = day_text(start), day_text(stop - 1)
    return first if first == last else f"{first} to {last}"
