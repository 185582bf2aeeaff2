"""What comes out of the pipeline, on its way through pipes and files."""

from __future__ import annotations

import pytest

from pkgstats.markup.rendered import (
    PLAIN_BYTES_MAX,
    Heading,
    Rendered,
    as_plain,
    bounded,
    framed,
    pack,
    unpack,
)

from .allowed import problems

RENDERED = Rendered("<p>ä</p>", 2, cut=True, headings=(Heading(2, "r-a", "A"),))


def test_packed_and_unpacked() -> None:
    assert unpack(pack(RENDERED)) == RENDERED


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'["",0,1,[]]', b'["",0,true,[[2,"a"]]]', b"\xff", b"[1,0,true,[]]"]
)
def test_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"this is no|Expecting|codec"):
        unpack(data)


def test_frames_begin_with_their_length() -> None:
    assert framed(b"abc") == b"\0\0\0\3abc"


def test_texts_are_bounded_in_bytes_and_whole_characters() -> None:
    assert bounded("äöü", 6) == ("äöü", False)
    assert bounded("äöü", 5) == ("äö", True)
    assert bounded("\ud800", 5) == ("?", False)


def test_plain_text_is_escaped_and_cut() -> None:
    found = as_plain("\n<script>&\0")
    assert found.html.endswith(">&lt;script&gt;&amp;\ufffd</pre>")
    assert not problems(found.html)
    assert not found.cut
    long = as_plain("<" * (PLAIN_BYTES_MAX + 1))
    assert long.cut
    assert long.html.count("&lt;") == PLAIN_BYTES_MAX
