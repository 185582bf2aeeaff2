"""What the tests look for in a picture: read as XML, not as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

NUMBER = re.compile(r"-?(?:[0-9]*\.[0-9]+|[0-9]+)")
COMMAND = re.compile(r"([MLlmhvaz])([^MLlmhvaz]*)")

SAID = re.compile(r"<(title|desc|text)\b.*?</\1>|aria-label=\"[^\"]*\"")
FORBIDDEN = re.compile(r"\bnan\b|inf(inity)?\b|style|<script", re.IGNORECASE)
"""Numbers that are none, and what a content security policy refuses."""


def read(svg: str) -> Element:
    """The root, without the name space in names; fails unless it is well-formed."""
    return ET.fromstring(svg.replace(' xmlns="http://www.w3.org/2000/svg"', ""))  # noqa: S314


def classed(root: Element, kind: str, tag: str = "path") -> list[Element]:
    return [one for one in root.iter(tag) if one.get("class") == kind]


def texts(root: Element) -> list[str]:
    return ["".join(one.itertext()) for one in root.iter("text")]


def data_line(root: Element, number: int = 1) -> Element:
    """The path of a line, which is as wide as none else of its class."""
    return max(
        (one for one in classed(root, f"c{number}") if one.get("stroke-width") == "2"),
        key=lambda one: len(one.get("d", "")),
    )


def places(path: str) -> Iterator[tuple[float, float]]:
    """Every place that a path goes through; arcs by their ends."""
    x = y = 0.0
    for command, rest in COMMAND.findall(path):
        numbers = [float(one) for one in NUMBER.findall(rest)]
        if command == "z":
            continue
        step = {"h": 1, "v": 1, "a": 7}.get(command, 2)
        assert len(numbers) % step == 0, (command, rest)
        for index in range(0, len(numbers), step):
            part = numbers[index : index + step]
            if command == "h":
                x += part[0]
            elif command == "v":
                y += part[0]
            elif command in "ML":
                x, y = part
            else:
                x, y = x + part[-2], y + part[-1]
            yield x, y


def assert_sound(svg: str) -> Element:
    """Well-formed, named, without style or strange numbers, all of it within the picture."""
    root = read(svg)
    left, top, width, height = (float(one) for one in root.get("viewBox", "").split())
    assert root.get("role") == "img"
    assert not FORBIDDEN.search(SAID.sub("", svg))
    inside: set[Element] = set()
    for pattern in root.iter("pattern"):
        inside.update(pattern.iter())
    for one in root.iter():
        if one in inside:
            continue
        for x, y in places(one.get("d", "")):
            assert left <= x <= left + width
            assert top <= y <= top + height
        for attribute, most in (("x", width), ("y", height), ("cx", width), ("cy", height)):
            assert 0 <= float(one.get(attribute, "0")) <= most
        if one.tag == "rect":
            assert float(one.get("x", "0")) + float(one.get("width", "0")) <= width
            assert float(one.get("y", "0")) + float(one.get("height", "0")) <= height
    idents = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(idents) == len(set(idents))
    return root
