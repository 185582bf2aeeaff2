"""What a readme is rendered to, and how that is written down. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pkgstats.markup.elements import escape
from pkgstats.records.model import README_BYTES_MAX

HTML_BYTES_MAX: Final = 2 << 20
"""Of a rendered readme."""

PLAIN_BYTES_MAX: Final = 128 << 10
"""Of a readme that is shown as it was written, before it is escaped."""

HEADINGS_MAX: Final = 100
"""Of a table of contents."""


HEADER_BYTES: Final = 4
"""Of a frame: its length, the highest byte first."""


class RenderError(Exception):
    """A readme cannot be rendered; the text says why."""


class Heading(NamedTuple):
    """An entry of a table of contents: level 2 to 6, what to link to, what to say."""

    level: int
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A readme to be put into a page as it is.

    Attributes:
        html: safe, at most 2 MB.
        images: how many could be loaded if one asked for them.
        cut: whether something at its end is left out.
        headings: the first 100, in the order of the text.
    """

    html: str
    images: int = 0
    cut: bool = False
    headings: tuple[Heading, ...] = ()


def bounded(text: str, bytes_max: int = README_BYTES_MAX) -> tuple[str, bool]:
    """A text that can be encoded and is not too long, and whether it was cut."""
    data = text[: bytes_max + 1].encode("utf-8", "replace")
    return data[:bytes_max].decode("utf-8", "ignore"), len(data) > bytes_max


def as_plain(text: str) -> Rendered:
    """A readme as it was written: what is shown when it could not be rendered."""
    kept, cut = bounded(text, PLAIN_BYTES_MAX)
    kept = escape(kept.replace("\0", "\N{REPLACEMENT CHARACTER}").lstrip("\n"))
    return Rendered(f'<pre class="r-plain" tabindex="0">{kept}</pre>', cut=cut)


def framed(data: bytes) -> bytes:
    """As it goes through a pipe, behind its length."""
    return len(data).to_bytes(HEADER_BYTES, "big") + data


def pack(rendered: Rendered) -> bytes:
    """As JSON."""
    return json.dumps(
        [rendered.html, rendered.images, rendered.cut, rendered.headings], ensure_ascii=False
    ).encode()


def unpack(data: bytes) -> Rendered:
    """The opposite of `pack`.

    Raises:
        ValueError: it is something else.
    """
    match json.loads(data):
        case [str(html), int(images), bool(cut), list(headings)]:
            return Rendered(html, images, cut, tuple(map(_heading, headings)))
    raise ValueError("this is no rendered readme")


def _heading(value: Any) -> Heading:
    match value:
        case [int(level), str(name), str(text)]:
            return Heading(level, name, text)
    raise ValueError("this is no heading")
