"""Readmes in a browser that nothing holds back: what strangers wrote shows, and does nothing."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from tests.pkgstats.browser.test_browser_pages import RULES, SCHEMES, TOO_WIDE
from tests.pkgstats.markup.xss_corpus import ALL

from pkgstats.markup.links import Base
from pkgstats.markup.render import render
from pkgstats.markup.renderer import Renderer
from pkgstats.web.assets import assets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route

INSTALLED = Path(__file__).resolve().parents[3] / "interop" / "node_modules"
READMES_MIN = 75
LOOKED_AT = 20
"""Real readmes that are held against the rules of accessibility, in light and dark by turns."""

BASE = Base("owner/name")
HOST = "http://readmes.example"
DOT = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20">'
    '<rect width="90" height="20"/></svg>'
)

DOCUMENT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Readmes</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head>
<body><main id="main"><article class="package"><h1>Readmes</h1><div class="split">
{sections}</div></article></main></body></html>"""

SECTION = (
    '<section class="readme"><h2>Readme</h2><div class="text" dir="auto">{html}</div></section>'
)

TRAPS = """(() => {
  const caught = [];
  Object.defineProperty(window, "caught", {value: caught});
  for (const name of ["alert", "prompt", "confirm", "open", "fetch", "print", "msgbox"])
    window[name] = () => caught.push(name);
  for (const name of ["hit", "pwned"])
    Object.defineProperty(window, name, {set: () => caught.push(name)});
  navigator.sendBeacon = () => caught.push("beacon");
  window.XMLHttpRequest = window.WebSocket = window.EventSource = function () {
    caught.push("connection");
  };
  window.followed = [];
  document.addEventListener("click", (event) => {
    event.preventDefault();
    const link = event.target.closest("a");
    if (link) followed.push(link.href);
  });
})()"""
"""Runs first: whatever a readme could do leaves a word behind."""

PROVOKE = """() => {
  const kinds = [];
  for (const name in HTMLElement.prototype)
    if (name.startsWith("on")) kinds.push(name.slice(2));
  for (const one of document.querySelectorAll(".text *")) {
    for (const kind of kinds) one.dispatchEvent(new Event(kind, {cancelable: true}));
    one.focus();
    one.click();
  }
  return kinds.length;
}"""
"""All events that there are, at every element; focus and clicks as a person makes them."""

CENTRES = """() => [...document.querySelectorAll(".text *:not(:has(*))")].map((one) => {
  const box = one.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2, box.width * box.height];
}).filter(([x, y, area]) => area > 0 && x >= 0 && x < innerWidth)"""

NUMBERS = count()


@dataclass
class Opened:
    """A page that was opened, and all that it did."""

    page: Page
    address: str
    requests: list[Request] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.events.append(f"{message.type}: {message.text}")

    def asked_for(self, request: Request) -> None:
        self.requests.append(request)

    def watch(self) -> None:
        page = self.page
        page.on("request", self.asked_for)
        page.on("console", self.said)
        page.on("pageerror", lambda error: self.events.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: self.events.append(f"dialog: {dialog.message}"))
        page.on("framenavigated", lambda frame: self.events.append(f"went to {frame.url}"))
        page.on("popup", lambda popup: self.events.append(f"opened {popup.url}"))
        page.on("download", lambda download: self.events.append(f"stored {download.url}"))

    @property
    def asked(self) -> list[tuple[str, str]]:
        """What was asked of others: kind and scheme."""
        own = {self.address, f"{HOST}/style.css"}
        return [
            (one.resource_type, one.url.partition(":")[0])
            for one in self.requests
            if one.url not in own
        ]


def answer(route: Route, documents: dict[str, str]) -> None:
    """Nothing leaves: the document, its style and a picture for whoever wants one."""
    asked = route.request
    if asked.url in documents:
        route.fulfill(body=documents[asked.url], content_type="text/html; charset=utf-8")
    elif asked.url == f"{HOST}/style.css":
        route.fulfill(body=assets()["style.css"].body, content_type="text/css")
    elif asked.resource_type == "image":
        route.fulfill(body=DOT, content_type="image/svg+xml")
    else:
        route.abort()


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    """What there is to open, by address."""
    return {}


@pytest.fixture
def tab(chromium: Browser, documents: dict[str, str]) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(TRAPS)
    context.route("**/*", lambda route: answer(route, documents))
    yield context.new_page()
    context.close()


def opened(tab: Page, documents: dict[str, str], htmls: Sequence[str]) -> Opened:
    """A page of these, each in a section of its own, without any policy."""
    address = f"{HOST}/{next(NUMBERS)}"
    sections = "\n".join(SECTION.format(html=html) for html in htmls)
    documents[address] = DOCUMENT.format(sections=sections)
    found = Opened(tab, address)
    found.watch()
    tab.goto(address, wait_until="load")
    assert found.events.pop(0) == f"went to {address}"
    return found


def provoke(found: Opened) -> None:
    """Point at everything, and do to it whatever can be done."""
    page = found.page
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": 1280, "height": min(height + 100, 30_000)})
    for x, y, _ in page.evaluate(CENTRES):
        page.mouse.move(x, y)
    assert page.evaluate(PROVOKE) > 50
    page.wait_for_load_state("networkidle")


def assert_nothing_happened(found: Opened, sections: int, *, images: bool) -> None:
    page = found.page
    assert page.evaluate("caught") == []
    assert found.events == []
    assert set(found.asked) <= ({("image", "https")} if images else set())
    assert len(page.frames) == len(page.context.pages) == 1
    followed = page.evaluate("followed")
    assert followed
    own = f"{found.address}#"
    assert not [one for one in followed if not one.startswith(("http:", "https:", "mailto:", own))]
    assert not [one for one in followed if one.startswith(HOST) and not one.startswith(own)]
    assert page.locator(".split > .readme > .text").count() == sections


# --- readmes that try


@pytest.mark.parametrize("images", [False, True], ids=["without images", "with images"])
@pytest.mark.parametrize("half", [0, 1])
def test_no_readme_does_anything(
    tab: Page,
    documents: dict[str, str],
    half: int,
    images: bool,
) -> None:
    texts = ALL[half::2]
    found = opened(tab, documents, [render(one, base=BASE, images=images).html for one in texts])
    provoke(found)
    assert_nothing_happened(found, len(texts), images=images)
    assert bool(found.asked) == images


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("<img src=x onerror=alert(1)>", "alert"),
        ("<img src=x onerror='window.hit=1'>", "hit"),
        ("<p onclick=prompt(1)>x</p>", "prompt"),
        ("<div onpointerenter=fetch(1)>x</div>", "fetch"),
        ("<code onanimationstart=window.open(1)>x</code>", "open"),
        ("<script>new WebSocket('ws://a.example')</script>", "connection"),
    ],
)
def test_the_traps_would_notice(tab: Page, documents: dict[str, str], text: str, word: str) -> None:
    documents[f"{HOST}/x"] = "no picture"
    found = opened(tab, documents, [text])
    provoke(found)
    assert word in found.page.evaluate("caught")


def test_frames_and_links_that_go_elsewhere_would_be_noticed(
    tab: Page, documents: dict[str, str]
) -> None:
    found = opened(
        tab, documents, ["<a href='javascript:1'>x</a><iframe src=https://a.example></iframe>"]
    )
    provoke(found)
    assert found.page.evaluate("followed") == ["javascript:1"]
    assert ("document", "https") in found.asked
    assert len(found.page.frames) == 2


# --- readmes that people wrote


def texts_of_people() -> list[str]:
    """Readmes of the packages that the interop tests install, each once."""
    paths = (path for path in INSTALLED.rglob("[Rr][Ee][Aa][Dd][Mm][Ee]*") if path.is_file())
    found = {path.read_text(encoding="utf-8", errors="replace") for path in paths}
    return sorted(found)


async def render_all(texts: Sequence[str]) -> list[str]:
    """As the pages do it, within the time that each has."""
    renderer = Renderer()
    try:
        return [(await renderer.render(one, BASE, images=True)).html for one in texts]
    finally:
        await renderer.close()


@pytest.fixture(scope="module")
def real() -> list[str]:
    """Real readmes with their images, rendered."""
    texts = texts_of_people()
    if len(texts) < READMES_MIN:
        missing = "needs the readmes of interop/node_modules: run `npm ci` in interop/"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with ThreadPoolExecutor(1) as thread:  # the browser's event loop has this one
        return thread.submit(asyncio.run, render_all(texts)).result()


def test_no_real_readme_does_anything(
    tab: Page, documents: dict[str, str], real: list[str]
) -> None:
    """Shown together: what one left open would swallow the next."""
    found = opened(tab, documents, real)
    assert found.page.evaluate(PROVOKE) > 50
    found.page.wait_for_load_state("networkidle")
    assert_nothing_happened(found, len(real), images=True)


def test_real_readmes_fit_on_a_telephone(
    tab: Page, documents: dict[str, str], real: list[str]
) -> None:
    tab.set_viewport_size({"width": 320, "height": 900})
    found = opened(tab, documents, real)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 320
    assert tab.evaluate(TOO_WIDE) == []
    assert found.events == []


@pytest.mark.parametrize("number", range(LOOKED_AT))
def test_a_real_readme_is_accessible(
    tab: Page, documents: dict[str, str], real: list[str], number: int
) -> None:
    tab.emulate_media(color_scheme=SCHEMES[number % 2])
    opened(tab, documents, [real[number * len(real) // LOOKED_AT]])
    results = Axe().run(tab, options={"runOnly": {"type": "tag", "values": RULES}})
    assert results.violations_count == 0, results.generate_report()


# --- on the page of a package


@pytest.mark.parametrize("images", [False, True], ids=["as it comes", "asked for"])
def test_images_of_a_readme_are_asked_for_by_who_wants_them(
    chromium: Browser,
    pages: str,
    images: bool,
) -> None:
    elsewhere: list[tuple[str, str]] = []

    def local(route: Route) -> None:
        if route.request.url.startswith(f"{pages}/"):
            route.continue_()
            return
        elsewhere.append((route.request.resource_type, route.request.url))
        headers: dict[str, Any] = route.request.all_headers()
        assert "referer" not in headers
        route.fulfill(body=DOT, content_type="image/svg+xml")

    context = chromium.new_context()
    context.route("**/*", local)
    page = context.new_page()
    page.goto(f"{pages}/package/hypercore{'?images=1' * images}")
    page.locator(".readme .text").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    shown = page.locator(".readme img").count()
    context.close()
    assert elsewhere == [("image", "https://pictures.example/build.svg")] * images
    assert shown == images
