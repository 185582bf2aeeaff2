"""The two passes of nh3: one makes any HTML well-formed, one lets only our own through. Pure.

`tidy` reads as a browser does, so that what follows sees the tree that a browser would. `gate` is
the last thing that happens to a readme: whatever went wrong before it, only what is listed here
comes out.
"""

from __future__ import annotations

import re
from typing import Final

import nh3

REL: Final = "nofollow ugc noopener noreferrer"
"""Of every link: it is its author's, not ours, and nobody is told where one came from."""

ID_PREFIX: Final = "r-"
"""Of ids: no name of a browser's own objects or of the page begins so."""

_ID: Final = re.compile(rf"{ID_PREFIX}[\w-]*")

HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")

PLAIN: Final = frozenset(
    """
    b blockquote br caption cite code del details dfn em hr i ins kbd li mark ol p pre q s samp
    small strong sub summary sup table tbody td tfoot th thead tr u ul var
    """.split()  # noqa: SIM905 - a list of forty quoted words reads worse
)
"""Elements that go through as they are, without their attributes."""

RENAMED: Final = {
    "strike": "s", "tt": "code", "center": "div", "div": "div", "section": "div", "article": "div",
    "header": "div", "footer": "div", "main": "div", "aside": "div", "nav": "div", "figure": "div",
    "figcaption": "div", "address": "div", "dl": "div", "dt": "div", "dd": "div",
}  # fmt: skip
"""Elements that become others: landmarks are the page's alone, and old ones have newer names."""

DROPPED: Final = frozenset(
    """
    script style template noscript iframe object svg math title textarea select option audio video
    canvas xmp noembed noframes plaintext
    """.split()  # noqa: SIM905
)
"""Elements that go with their content; of all others that are not named here, the text stays."""

CODE_CLASSES: Final = frozenset(f"h-{letter}" for letter in "ckasnftid")
BLOCK_CLASSES: Final = frozenset({"r-center", "r-right"})

_ALIGNED: Final = ("p", "div", "td", "th", *HEADINGS)
_CELL: Final = frozenset({"colspan", "rowspan"})

_TIDY_ATTRIBUTES: Final = {
    "*": set(),  # or nh3 would let its own default through
    "a": {"href", "name", "id"},
    "img": {"src", "alt", "width", "height"},
    "pre": {"lang"},
    "code": {"class"},
    "ol": {"start"},
    "td": {"colspan", "rowspan", "style"},
    "th": {"colspan", "rowspan", "style"},
}
for _tag in _ALIGNED:
    _TIDY_ATTRIBUTES.setdefault(_tag, set()).update({"align", "id"})


def tidy(html: str) -> str:
    """Any HTML as a well-formed fragment of known elements; not safe yet."""
    return nh3.clean(
        html,
        tags={*PLAIN, *RENAMED, *HEADINGS, "a", "img"},
        clean_content_tags=set(DROPPED),
        attributes=_TIDY_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def gate(html: str) -> str:
    """What may stand in a page, and nothing else."""
    return nh3.clean(
        html,
        tags={*PLAIN, "a", "div", "img", "span", *HEADINGS[1:]},
        clean_content_tags=set(DROPPED),
        attributes={
            "*": set(),
            "a": {"href"},
            "img": {"src", "alt", "width", "height"},
            "div": {"aria-label"},
            "ol": {"start"},
            "td": set(_CELL),
            "th": set(_CELL),
        }
        | {heading: {"id"} for heading in HEADINGS[1:]},
        attribute_filter=_allowed,
        tag_attribute_values={
            "a": {"rel": {REL}},
            "div": {"tabindex": {"0"}, "role": {"region"}},
            "pre": {"tabindex": {"0"}},
            "img": {"loading": {"lazy"}, "referrerpolicy": {"no-referrer"}},
        },
        allowed_classes={
            "a": {"r-image"},
            "div": {"r-scroll", *BLOCK_CLASSES},
            "pre": {"r-code", "r-plain"},
            "span": {"r-image", *CODE_CLASSES},
        }
        | {tag: set(BLOCK_CLASSES) for tag in _ALIGNED if tag not in {"div", "h1"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def _allowed(_tag: str, attribute: str, value: str) -> str | None:
    """The value of an attribute, or None if it must go."""
    match attribute:
        case "href":
            allowed = value.startswith(("https://", "http://", "mailto:"))
            allowed = allowed or (value[:1] == "#" and _ID.fullmatch(value[1:]) is not None)
        case "src":
            allowed = value.startswith("https://")
        case "id":
            allowed = _ID.fullmatch(value) is not None
        case "width" | "height" | "colspan" | "rowspan" | "start":
            allowed = value.isascii() and value.isdigit()
        case _:
            allowed = True
    return value if allowed else None
