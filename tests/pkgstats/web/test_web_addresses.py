"""Where things are."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pkgstats.web import addresses
from pkgstats.web.addresses import FORMATS, split, with_suffix


@pytest.mark.parametrize(
    ("raw", "path", "form"),
    [
        (b"/package/react", "/package/react", "html"),
        (b"/package/react.json", "/package/react", "json"),
        (b"/package/react.feed.json", "/package/react", "feed"),
        (b"/package/package%2Ejson", "/package/package.json", "html"),
        (b"/package/package%2Ejson.json", "/package/package.json", "json"),
        (b"/package/chart.js", "/package/chart.js", "html"),
        (b"/package/%40types%2freact.atom", "/package/@types/react", "atom"),
        (b"/index.json", "/", "json"),
        (b"/index", "/index", "html"),
        (b"/", "/", "html"),
        (b"/popular.csv", "/popular", "csv"),
        (b"/%ff", "/\N{REPLACEMENT CHARACTER}", "html"),
    ],
)
def test_a_suffix_asks_for_a_twin(raw: bytes, path: str, form: str) -> None:
    assert split(raw) == (path, form)


NAMES = st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable())


@given(NAMES, st.sampled_from([addresses.package, addresses.user, addresses.scope]))
@example("a.feed.json", addresses.package)
@example(".feed.json", addresses.user)
def test_no_name_is_taken_for_a_suffix(name: str, place: object) -> None:
    path = place(name)  # type: ignore[operator]
    assert path.isascii()
    kind = path.split("/")[1]
    assert split(path.encode()) == (f"/{kind}/{name}", "html")
    for suffix, form in FORMATS.items():
        assert split(with_suffix(path, suffix).encode()) == (f"/{kind}/{name}", form)


def test_the_first_page_has_twins_too() -> None:
    assert with_suffix("/", ".json") == "/index.json"


@given(st.text(max_size=40), st.integers(1, 50), st.integers(1, 100))
def test_a_search_is_found_again_in_its_address(text: str, page: int, size: int) -> None:
    asked = dict(
        parse_qsl(urlsplit(addresses.search(text, page, size)).query, keep_blank_values=True)
    )
    assert asked["q"].encode(errors="replace") == text.encode(errors="replace")
    assert int(asked.get("page", "1")) == page
    assert int(asked.get("size", "20")) == size


def test_packages_are_compared_in_their_order() -> None:
    assert addresses.compare(["b", "@a/b&c"]) == "/compare?p=b&p=@a/b%26c"


def test_a_badge_has_the_name_within() -> None:
    assert addresses.badge("version", "@types/react") == "/badge/version/@types/react.svg"
    assert addresses.badge("version", "a?b") == "/badge/version/a%3Fb.svg"
    assert addresses.versions("package.json") == "/package/package%2Ejson/versions"
