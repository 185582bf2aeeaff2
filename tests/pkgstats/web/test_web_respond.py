"""One page in many formats."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from starlette.requests import Request

from pkgstats.syndication import Feed, Item
from pkgstats.web.respond import as_csv, base_of, respond
from pkgstats.web.site import Page, Settings, Table

from .browsing import parsed


@dataclass(frozen=True)
class Data:
    error: str = "words"
    did_you_mean: tuple[str, ...] = ("a",)
    unheld: str = ""
    later: bool = False


@dataclass
class FakeSite:
    settings: Settings


SITE: Any = FakeSite(Settings())

FEED = Feed("urn:x", "Things", 1000, (Item("urn:y", "One", 1000, "", link="/package/one"),))

PAGE = Page(template="trouble.html", title="Things", data=Data())


def asked(form: str = "html", query: str = "", **headers: str) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "server": ("127.0.0.1", 8642),
            "path": "/things",
            "page_path": "/things",
            "query_string": query.encode(),
            "format": form,
            "headers": [
                (b"host", b"127.0.0.1:8642"),
                *(
                    (name.replace("_", "-").encode(), text.encode())
                    for name, text in headers.items()
                ),
            ],
        }
    )


def changed(**values: Any) -> Page:
    return Page(**{"template": "trouble.html", "title": "Things", "data": Data(), **values})


def test_a_page_is_html() -> None:
    answer: Any = respond(SITE, asked(query="a=1"), PAGE)
    answer.text = answer.body.decode()
    page = parsed(answer)
    assert page.one("title").text == "Things - Pkg Stats"
    links = {one["rel"]: one["href"] for one in page.all("link")}
    assert links["canonical"] == "http://127.0.0.1:8642/things?a=1"
    assert links["alternate"] == "/things.json?a=1"


def test_its_data_is_json() -> None:
    answer = respond(SITE, asked("json"), PAGE)
    assert json.loads(bytes(answer.body)) == {
        "error": "words",
        "did_you_mean": ["a"],
        "unheld": "",
        "later": False,
    }
    assert answer.headers["x-robots-tag"] == "noindex"


def test_feeds_have_whole_addresses() -> None:
    page = changed(feed=lambda: FEED)
    atom = ET.fromstring(bytes(respond(SITE, asked("atom", "q=x"), page).body))  # noqa: S314
    hrefs = [one.get("href") for one in atom.iter("{http://www.w3.org/2005/Atom}link")]
    assert hrefs == [
        "http://127.0.0.1:8642/things.atom?q=x",
        "http://127.0.0.1:8642/things?q=x",
        "http://127.0.0.1:8642/package/one",
    ]
    told = json.loads(bytes(respond(SITE, asked("feed"), page).body))
    assert told["feed_url"] == "http://127.0.0.1:8642/things.feed.json"
    assert told["items"][0]["url"] == "http://127.0.0.1:8642/package/one"


def test_a_site_with_a_name_goes_by_that() -> None:
    site: Any = FakeSite(Settings(base="https://packages.example"))
    assert base_of(site, asked()) == "https://packages.example"
    assert base_of(SITE, asked()) == "http://127.0.0.1:8642"


@pytest.mark.parametrize("form", ["atom", "feed", "csv"])
def test_a_twin_that_there_is_not_is_not_found(form: str) -> None:
    answer = respond(SITE, asked(form), PAGE)
    assert answer.status_code == 404
    assert "error" in json.loads(bytes(answer.body))


def test_who_has_it_already_is_told_so() -> None:
    first = respond(SITE, asked(), PAGE)
    tag = first.headers["etag"]
    for known in (tag, f'"x", W/{tag}'):
        again = respond(SITE, asked(if_none_match=known), PAGE)
        assert (again.status_code, again.body) == (304, b"")
    assert respond(SITE, asked(if_none_match='"x"'), PAGE).status_code == 200
    assert respond(SITE, asked("json"), PAGE).headers["etag"] != tag


def test_what_does_not_last_or_is_wrong_is_said_each_time() -> None:
    for page in (changed(lasts=False), changed(status=404)):
        assert "etag" not in respond(SITE, asked(), page).headers


def test_a_page_says_whether_it_may_be_listed() -> None:
    assert "x-robots-tag" not in respond(SITE, asked(), PAGE).headers
    assert respond(SITE, asked(), changed(listed=False)).headers["x-robots-tag"] == "noindex"


def test_what_a_spreadsheet_would_compute_is_text() -> None:
    table = Table(("a", "b"), [("=1+1", -5), ("@types/x", None), ("-x", 1.5), ("\tq", 'a,"b')])
    rows = list(csv.reader(io.StringIO(as_csv(table))))
    assert rows == [
        ["a", "b"],
        ["'=1+1", "-5"],
        ["@types/x", ""],
        ["'-x", "1.5"],
        ["'\tq", 'a,"b'],
    ]
