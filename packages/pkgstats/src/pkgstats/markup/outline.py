"""The headings of a readme: their levels, their ids, and what links within it lead to. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pkgstats.markup.elements import Element, text_of
from pkgstats.markup.rendered import HEADINGS_MAX, Heading
from pkgstats.markup.sanitise import HEADINGS, ID_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

SLUG_CHARACTERS_MAX: Final = 80
"""Of an id, without its prefix and number."""

TEXT_CHARACTERS_MAX: Final = 200
"""Of a heading's text in the table of contents."""

_NOT_IN_SLUG: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a readme's headings are.

    Attributes:
        headings: the first of them.
        anchors: the ids that links within the readme lead to, by what authors call them.
    """

    headings: tuple[Heading, ...]
    anchors: dict[str, str]

    def target(self, fragment: str) -> str | None:
        """The id for ``#fragment``; None if there is no such place."""
        return self.anchors.get(unquote(fragment).lower().removeprefix("user-content-"))


def slug(text: str) -> str:
    """A heading's name in links, as GitHub makes it: ``what-is-new`` of ``What is new?``."""
    return _NOT_IN_SLUG.sub("", text.strip().lower())[:SLUG_CHARACTERS_MAX].replace(" ", "-")


def outline(root: Element) -> Outline:
    """Give each heading its level and its id, in place.

    The page's own heading is the only h1, and no level is left out below it. A heading without a
    text, or within another one, is none.
    """
    numbering = _Numbering()
    for element in _headings(root):
        text = " ".join(text_of(element).split())
        if not text:
            element.tag = "div"
            continue
        for nested in element.elements():
            nested.tag = "span" if nested.tag in HEADINGS else nested.tag
        numbering.add(element, text)
    return Outline(tuple(numbering.found), _anchors(root, numbering.ids))


def _headings(root: Element) -> Iterator[Element]:
    """Headings as they come; one that is renamed on the way is passed over."""
    return (element for element in root.elements() if element.tag in HEADINGS)


class _Numbering:
    """Levels and ids, one heading after another."""

    def __init__(self) -> None:
        self.found: list[Heading] = []
        self.ids: dict[str, str] = {}
        self._above: list[tuple[int, int]] = [(0, 1)]
        self._times: dict[str, int] = {}

    def add(self, element: Element, text: str) -> None:
        level = self._level(int(element.tag[1]))
        name = self._name(slug(text))
        anchor = element.attributes.get("id", "")
        element.tag = f"h{level}"
        element.attributes["id"] = self.ids[name] = f"{ID_PREFIX}{name}"
        if anchor:
            self.ids.setdefault(anchor.lower(), f"{ID_PREFIX}{name}")
        if len(self.found) < HEADINGS_MAX:
            self.found.append(Heading(level, f"{ID_PREFIX}{name}", text[:TEXT_CHARACTERS_MAX]))

    def _level(self, said: int) -> int:
        """One below the nearest heading above that is higher."""
        while self._above[-1][0] >= said:
            self._above.pop()
        level = min(self._above[-1][1] + 1, 6)
        self._above.append((said, level))
        return level

    def _name(self, wanted: str) -> str:
        """``usage``, then ``usage-1``, ``usage-2`` as GitHub counts them."""
        name = wanted
        while name in self.ids:
            self._times[wanted] = self._times.get(wanted, 0) + 1
            name = f"{wanted}-{self._times[wanted]}"
        return name


def _anchors(root: Element, ids: dict[str, str]) -> dict[str, str]:
    """Also the old way: ``<a name="usage"></a>`` in a heading, or somewhere before one."""
    anchors = dict(ids)
    waiting: list[str] = []
    for element in root.elements():
        if element.tag in HEADINGS:
            for name in (*waiting, *(one for inner in element.elements() for one in _names(inner))):
                anchors.setdefault(name, element.attributes["id"])
            waiting.clear()
        else:
            waiting += _names(element)
    return anchors


def _names(element: Element) -> list[str]:
    said = (element.attributes.get("name", ""), element.attributes.get("id", ""))
    return [name.lower() for name in said if name]
