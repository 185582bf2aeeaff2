"""What is remembered, and what is forgotten first."""

from __future__ import annotations

from pkgstats.web.shelves import ANSWER_BYTES_MAX, OVERHEAD_BYTES, Answer, Shelf, Shelves


def test_whole_answers_with_a_tag_may_be_remembered() -> None:
    tagged = ((b"etag", b'"x"'),)
    assert Answer(200, tagged, b"").lasts
    assert not Answer(200, (), b"").lasts
    assert not Answer(404, tagged, b"").lasts
    assert not Answer(200, tagged, b"x" * (ANSWER_BYTES_MAX + 1)).lasts


def test_the_answer_that_was_asked_for_least_lately_goes_first() -> None:
    def key(letter: bytes) -> tuple[bytes, bytes, bytes]:
        return (b"", letter, b"")

    shelf = Shelf(3 * (OVERHEAD_BYTES + 11))
    for letter in (b"a", b"b", b"c"):
        shelf.put(key(letter), Answer(200, (), b"x" * 10))
    assert shelf.get(key(b"a")) is not None
    shelf.put(key(b"d"), Answer(200, (), b"x" * 10))
    assert [shelf.get(key(one)) is not None for one in (b"a", b"b", b"c", b"d")] == [
        *(True, False, True, True)
    ]
    assert len(shelf) == 3
    assert shelf.bytes == 3 * (OVERHEAD_BYTES + 11)
    shelf.clear()
    assert (len(shelf), shelf.bytes) == (0, 0)


def test_addresses_with_parameters_have_a_shelf_of_their_own() -> None:
    shelves = Shelves(2 * (OVERHEAD_BYTES + 20))
    answer = Answer(200, (), b"x" * 10)
    shelves.put((b"", b"/a", b""), answer)
    for number in range(9):
        shelves.put((b"", b"/a", b"%d" % number), answer)
    assert shelves.get((b"", b"/a", b"")) is answer
    assert shelves.get((b"", b"/a", b"0")) is None
    assert shelves.get((b"", b"/a", b"8")) is answer
    assert 0 < shelves.bytes <= 4 * (OVERHEAD_BYTES + 20)
    shelves.clear()
    assert shelves.bytes == 0
