"""Badges: small pictures with a word and a value, as SVG text. Pure.

They have the size and look that readers of readmes know, and are drawn without any font of ours:
each text is told how wide it is to be, so it fits its box whatever font there is.
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

WIDTHS: Final[dict[str, float]] = {
    letter: width
    for width, letters in (
        (3.5, "ijlI|'!.,:;"),
        (4.3, "ft()[]/\\ -"),
        (5.0, 'r"'),
        (5.8, "cskvxyz*?_"),
        (6.7, "abdeghnopqu0123456789$"),
        (7.2, "ABCEFKLPRSTVXYZ"),
        (8.5, "DGHNOQUw~^+<>=#&"),
        (10.5, "mMW@%"),
    )
    for letter in letters
}
"""Of Verdana's and DejaVu Sans' letters at 11 px, in px; the wider of the two, rounded up."""

WIDTH_ELSE: Final = 11.0
"""Of all other letters; wide enough for Chinese ones."""

TEXT_MAX: Final = 60
"""Characters of a text that are drawn."""

PADDING: Final = 5
HEIGHT: Final = 20
LABEL_COLOUR: Final = "#444d56"

SVG: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" \
aria-label="{title}">
<title>{title}</title>
<clipPath id="r"><rect width="{width}" height="{height}" rx="3"/></clipPath>
<g clip-path="url(#r)"><path fill="{label_colour}" d="M0 0h{left}v{height}H0z"/>\
<path fill="{colour}" d="M{left} 0h{right}v{height}H{left}z"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" \
font-size="11" aria-hidden="true">\
<text x="{label_x}" y="14" textLength="{label_length}">{label}</text>\
<text x="{value_x}" y="14" textLength="{value_length}">{value}</text></g>
</svg>
"""


def badge(label: str, value: str, colour: str) -> str:
    """A picture: the label to the left, the value to the right on its colour.

    Args:
        label, value: of each the first `TEXT_MAX` characters are drawn.
        colour: as CSS has it; white text is to be read on it.
    """
    label, value = clean(label), clean(value)
    label_length, value_length = round(width(label)), round(width(value))
    left, right = label_length + 2 * PADDING, value_length + 2 * PADDING
    return SVG.format(
        width=left + right,
        height=HEIGHT,
        title=_escaped(f"{label}: {value}"),
        label_colour=LABEL_COLOUR,
        colour=_escaped(colour),
        left=left,
        right=right,
        label_x=left / 2,
        value_x=left + right / 2,
        label_length=label_length,
        value_length=value_length,
        label=_escaped(label),
        value=_escaped(value),
    )


def width(text: str) -> float:
    """How wide a text is, px."""
    return sum(WIDTHS.get(letter, WIDTH_ELSE) for letter in text)


def clean(text: str) -> str:
    """What can be drawn of a text: no signs that XML forbids, or that turn the line around."""
    found = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return found if len(found) <= TEXT_MAX else found[: TEXT_MAX - 1] + "…"


def _escaped(text: str) -> str:
    return escape(text, {'"': "&quot;"})
