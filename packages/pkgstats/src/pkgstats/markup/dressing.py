"""From what an author wrote to what a page shows: links, images, tables, code, lists. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pkgstats.markup.colours import coloured
from pkgstats.markup.elements import Element, text_of
from pkgstats.markup.links import Base, host_of, image, link
from pkgstats.markup.sanitise import HEADINGS, PLAIN, REL, RENAMED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pkgstats.markup.outline import Outline

COLOURED_CHARACTERS_MAX: Final = 100_000
"""Code of one readme that is coloured; what follows is shown without colours."""

ALT_CHARACTERS_MAX: Final = 300
"""Of an image's alternative text."""

_NUMBER: Final = re.compile(r"\d{1,4}", re.ASCII)
_SPAN: Final = re.compile(r"[1-9]\d?", re.ASCII)
_TASK: Final = re.compile(r"\s*\[([ xX])\]\s")
_MARKS: Final = {" ": "☐ ", "x": "☑ ", "X": "☑ "}
_ALERT: Final = re.compile(r"\s*\[!(note|tip|important|warning|caution)\]\s*", re.IGNORECASE)
_LANGUAGE: Final = re.compile(r"language-([\w+-]+)")

Node = Element | str


class Dresser:
    """Makes one readme's tree anew, from the inside out.

    Attributes:
        images: how many images there are that could be loaded.
    """

    def __init__(self, base: Base, outline: Outline, *, show_images: bool) -> None:
        self.images = 0
        self._base = base
        self._outline = outline
        self._show_images = show_images
        self._tables = 0
        self._uncoloured = COLOURED_CHARACTERS_MAX
        self._in_control = False
        self._in_table = False

    def dress(self, root: Element) -> Element:
        """The tree that is written."""
        return Element("", {}, self._all(root.children))

    def _all(self, nodes: Iterable[Node]) -> list[Node]:
        dressed: list[Node] = []
        for node in nodes:
            dressed += [node] if isinstance(node, str) else self._one(node)
        return dressed

    def _one(self, element: Element) -> list[Node]:
        match element.tag:
            case "a":
                return self._link(element)
            case "img":
                return self._image(element)
            case "pre":
                return [self._code(element)]
            case "table":
                return [self._table(element)]
            case "ul" | "ol":
                return [self._list(element)]
            case "li":
                element.tag = "div"  # it stands in no list
            case "blockquote":
                _mark_alert(element)
            case "details":
                return [self._details(element)]
            case "summary":
                return [self._summary(element)]
            case "p" if not element.children:
                return []  # a browser makes one of a lone </p>
        return [self._block(element)]

    def _block(self, element: Element) -> Element:
        """An element that keeps its content, its alignment, and its id if it is a heading."""
        tag = RENAMED.get(element.tag, element.tag)
        attributes: dict[str, str] = {}
        if tag in HEADINGS:
            attributes["id"] = element.attributes["id"]
        elif tag in {"td", "th"}:
            attributes = _matching(element, ("colspan", "rowspan"), _SPAN)
        elif tag not in PLAIN and tag != "span":
            tag = "div"
        if (aligned := alignment(element)) and tag in {"p", "div", "td", "th", *HEADINGS}:
            attributes["class"] = f"r-{aligned}"
        return Element(tag, attributes, self._all(element.children))

    def _link(self, element: Element) -> list[Node]:
        """A link with a name; one that leads nowhere is only its content."""
        said = element.attributes.get("href", "")
        if said.startswith("#"):
            found = self._outline.target(said[1:])
            address = f"#{found}" if found else None
        else:
            address = link(self._base, said)
        name = " ".join(text_of(element).split())
        if address is None or self._in_control or not (name or host_of(address)):
            return self._all(element.children)
        children = self._control(element.children)
        if not name and not _named(children):
            children.append(host_of(address))
        return [Element("a", {"href": address, "rel": REL}, children)]

    def _image(self, element: Element) -> list[Node]:
        """An image, or what stands for it: a link to it, or words where no link can be."""
        alt = " ".join(element.attributes.get("alt", "").split())[:ALT_CHARACTERS_MAX]
        source = image(self._base, element.attributes.get("src", ""))
        if source is None:
            return [f"image: {alt}"] if alt else []
        loadable = source.lower().startswith("https:")
        self.images += loadable
        if loadable and self._show_images:
            sizes = _matching(element, ("width", "height"), _NUMBER)
            fixed = {"loading": "lazy", "referrerpolicy": "no-referrer"}
            return [Element("img", {"src": source, "alt": alt, **sizes, **fixed})]
        words: list[Node] = [f"image: {alt or host_of(source)}"]
        if self._in_control:
            return [Element("span", {"class": "r-image"}, words)]
        return [Element("a", {"href": source, "class": "r-image", "rel": REL}, words)]

    def _code(self, element: Element) -> Element:
        """A block of code in colours, if all there is in it is code in a known language."""
        inner = [one for one in element.children if not (isinstance(one, str) and not one.strip())]
        code = inner[0] if len(inner) == 1 and isinstance(inner[0], Element) else element
        language = element.attributes.get("lang", "")
        if found := _LANGUAGE.search(code.attributes.get("class", "")):
            language = found[1]
        attributes = {"class": "r-code"} | ({} if self._in_control else {"tabindex": "0"})
        children = self._all(element.children)
        if language and all(isinstance(one, str) for one in code.children):
            text = text_of(code)
            self._uncoloured -= len(text)
            if self._uncoloured >= 0:
                children = [Element("code", {}, coloured(text, language))]
        return Element("pre", attributes, _without_first_break(children))

    def _table(self, element: Element) -> Element:
        """A table in a frame of its own, unless it lies in another one."""
        if not any(one.tag == "td" for one in element.elements()):
            for one in element.elements():
                one.tag = "td" if one.tag == "th" else one.tag  # headers of nothing
        for one in element.elements():
            one.tag = "td" if one.tag == "th" and not text_of(one).strip() else one.tag
        outer, self._in_table = self._in_table, True
        table = Element("table", {}, self._all(element.children))
        self._in_table = outer
        if outer or self._in_control:
            return table
        self._tables += 1
        label = f"Table {self._tables}"
        frame = {"class": "r-scroll", "tabindex": "0", "role": "region", "aria-label": label}
        return Element("div", frame, [table])

    def _list(self, element: Element) -> Element:
        """A list whose children are items and nothing else, with marks for tasks."""
        items: list[Node] = []
        for child in element.children:
            if isinstance(child, Element) and child.tag == "li":
                _mark_task(child)
                items.append(Element("li", {}, self._all(child.children)))
            elif dressed := self._all([child]):
                blank = isinstance(child, str) and not child.strip()
                items += dressed if blank else [Element("li", {}, dressed)]
        start = _matching(element, ("start",), _NUMBER) if element.tag == "ol" else {}
        return Element(element.tag, start, items)

    def _details(self, element: Element) -> Element:
        """What can be unfolded, but not within what is pressed to unfold another."""
        tag = "div" if self._in_control else "details"
        return Element(tag, {}, self._all(element.children))

    def _summary(self, element: Element) -> Element:
        """What is pressed to unfold: it has a name, and nothing in it can be pressed by itself."""
        if self._in_control:
            return Element("div", {}, self._all(element.children))
        children = self._control(element.children)
        return Element("summary", {}, children if _named(children) else [*children, "Details"])

    def _control(self, nodes: list[Node]) -> list[Node]:
        """The content of what can be pressed; the other such things in it become words."""
        self._in_control = True
        dressed = self._all(nodes)
        self._in_control = False
        return dressed


def alignment(element: Element) -> str:
    """``center``, ``right`` or nothing."""
    style = element.attributes.get("style", "").replace(" ", "").removeprefix("text-align:")
    said = element.attributes.get("align", style).lower()
    return "center" if element.tag == "center" else said if said in {"center", "right"} else ""


def _matching(element: Element, names: tuple[str, ...], shape: re.Pattern[str]) -> dict[str, str]:
    said = {name: element.attributes.get(name, "") for name in names}
    return {name: value for name, value in said.items() if shape.fullmatch(value)}


def _named(nodes: list[Node]) -> bool:
    """Whether a reader of the screen has something to say of them."""
    return any(text_of(node).strip() for node in nodes)


def _mark_task(item: Element) -> None:
    """``[x]`` at the beginning of an item as a mark."""
    holder = _beginning(item)
    first = holder.children[0] if holder.children else ""
    if isinstance(first, str) and (found := _TASK.match(first)):
        holder.children[0] = _MARKS[found[1]] + first[found.end() :]


def _mark_alert(quote: Element) -> None:
    """``[!NOTE]`` at the beginning of a quote as a word of its own, as on GitHub."""
    holder = _beginning(quote)
    first = holder.children[0] if holder.children else ""
    if isinstance(first, str) and (found := _ALERT.match(first)):
        name = Element("strong", {}, [f"{found[1].capitalize()}:"])
        holder.children[:1] = [name, f" {first[found.end() :]}"]


def _beginning(element: Element) -> Element:
    """What holds its first words: its first paragraph, or itself."""
    for child in element.children:
        if isinstance(child, Element):
            return child if child.tag == "p" else element
        if child.strip():
            break
    return element


def _without_first_break(nodes: list[Node]) -> list[Node]:
    """A line break at the very beginning of ``pre`` is not a part of it (HTML, 13.1.2.5)."""
    if nodes and isinstance(nodes[0], str):
        return [nodes[0].lstrip("\n"), *nodes[1:]]
    return nodes
