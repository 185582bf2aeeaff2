"""A small tree of HTML, read from what nh3 has made well-formed, and written again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH_MAX: Final = 64
"""Elements within elements; what lies deeper loses its tags and keeps its text."""

EMPTY: Final = frozenset({"br", "hr", "img"})
"""Elements that have no content and no end."""

ESCAPED_BYTES_MAX: Final = 6
"""Of one character, as in ``&nbsp;``."""

_IN_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\xa0": "&nbsp;"})
_IN_VALUE: Final = _IN_TEXT | str.maketrans({'"': "&quot;"})


@dataclass(slots=True)
class Element:
    """One element; its children are elements and texts."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def elements(self) -> Iterator[Element]:
        """The elements below this one, in the order of the text."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.elements()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Go down, unless it is too deep."""
        element = Element(tag, {name: value or "" for name, value in attrs})
        if len(self._open) <= DEPTH_MAX:
            self._open[-1].children.append(element)
        if tag not in EMPTY:
            self._open.append(element if len(self._open) <= DEPTH_MAX else self._open[-1])

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the base class names it
        """Go up: nh3 closes each element in its turn."""
        if len(self._open) > 1:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Add a text."""
        self._open[-1].children.append(data)


def read(html: str) -> Element:
    """The tree of a well-formed fragment, below an element without a tag."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.root


def text_of(node: Element | str) -> str:
    """The text of a node; an image's is its alternative text."""
    if isinstance(node, str):
        return node
    if node.tag == "img":
        return node.attributes.get("alt", "")
    return "".join(map(text_of, node.children))


def escape(text: str) -> str:
    """A text as nh3 writes it."""
    return text.translate(_IN_TEXT)


class Writer:
    """Writes a tree and stops, with all elements closed, where a bound is passed.

    Attributes:
        cut: whether something was left out.
    """

    def __init__(self, bytes_max: int) -> None:
        self.cut = False
        self._left = bytes_max
        self._parts: list[str] = []

    def write(self, root: Element) -> str:
        """The children of ``root`` as HTML."""
        self._children(root)
        return "".join(self._parts)

    def _children(self, element: Element) -> None:
        for child in element.children:
            if isinstance(child, str):
                self._text(child)
            else:
                self._element(child)

    def _element(self, element: Element) -> None:
        attributes = "".join(
            f' {name}="{value.translate(_IN_VALUE)}"' for name, value in element.attributes.items()
        )
        closing = "" if element.tag in EMPTY else f"</{element.tag}>"
        if self._add(f"<{element.tag}{attributes}>", len(closing)):
            self._children(element)
            self._parts.append(closing)

    def _text(self, text: str) -> None:
        """All of a text, or the first one that does not fit as far as it surely does."""
        if not self.cut and not self._add(escape(text)):
            self._parts.append(escape(text[: self._left // ESCAPED_BYTES_MAX]))

    def _add(self, text: str, reserved: int = 0) -> bool:
        """Add a text that leaves room for what must follow it; once one did not, none does."""
        size = len(text.encode()) + reserved
        self.cut = self.cut or size > self._left
        if not self.cut:
            self._left -= size
            self._parts.append(text)
        return not self.cut
