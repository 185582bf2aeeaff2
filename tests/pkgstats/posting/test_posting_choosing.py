from __future__ import annotations

from pkgstats.digest import Digest, Entry
from pkgstats.posting.choosing import choose


def entries(*names: str) -> tuple[Entry, ...]:
    return tuple(Entry(name, "1.0.0", "", 1, "so", 0) for name in names)


DIGEST = Digest(
    20_000,
    {"popular": entries("a", "b", "c"), "newest": entries("n"), "random": entries("b", "a", "r")},
)


def test_the_parts_take_turns_and_each_package_comes_once() -> None:
    keys = [post.key for post in choose(DIGEST, ())]
    assert keys == ["popular:a", "newest:n", "random:b", "popular:c", "random:r"]


def test_a_package_that_was_posted_is_left_out_as_whatever_it_was() -> None:
    keys = [post.key for post in choose(DIGEST, {"popular:a", "newest:n", "risers:b"})]
    assert keys == ["popular:c", "random:r"]
    assert choose(DIGEST, {f"popular:{name}" for name in "abcnr"}) == []


def test_names_may_have_colons() -> None:
    odd = Digest(1, {"popular": entries("a:b", "b")})
    assert [post.key for post in choose(odd, {"newest:a:b"})] == ["popular:b"]


def test_posts_have_words_and_links() -> None:
    first = choose(DIGEST, (), "https://a.example")[0]
    assert first.text == "Popular: a 1.0.0 (so)\n\nhttps://a.example/package/a"
