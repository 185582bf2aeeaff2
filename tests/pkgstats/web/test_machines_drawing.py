from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from pkgstats.web.machines.drawing import TEXT_MAX, badge, clean, width

SVG = "{http://www.w3.org/2000/svg}"


def test_a_badge_says_its_words_to_those_who_see_and_those_who_listen() -> None:
    root = ET.fromstring(badge("npm", "v1.2.3", "#0a6aa6"))  # noqa: S314 - our own
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title") == "npm: v1.2.3"
    assert [one.text for one in root.iter(f"{SVG}text")] == ["npm", "v1.2.3"]


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_it_says_it_is_a_picture_of_bounded_size(label: str, value: str) -> None:
    text = badge(label, value, "#000")
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert root.findtext(f"{SVG}title") == f"{clean(label)}: {clean(value)}"
    assert len(text) < 3000
    assert float(root.get("width", "inf")) <= 2 * (TEXT_MAX * 11 + 10) + 2
    assert not list(root.iter("script"))


def test_a_text_has_room_in_its_half() -> None:
    root = ET.fromstring(badge("downloads", "1.2M/month", "#000"))  # noqa: S314 - our own
    left, right = (one for one in root.iter(f"{SVG}text"))
    whole = float(root.get("width", 0))
    for one, begin, end in ((left, 0, width("downloads") + 10), (right, 0, whole)):
        half = float(one.get("textLength", 0)) / 2
        middle = float(one.get("x", 0))
        assert begin + 4 <= middle - half
        assert middle + half <= end - 4
    assert width("mmm") > width("iii")


def test_what_cannot_be_drawn_is_left_out() -> None:
    assert clean("a\x00b\n\u202ec ") == "a b c"
    assert clean("x" * 99) == "x" * (TEXT_MAX - 1) + "…"
