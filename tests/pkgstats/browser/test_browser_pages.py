"""Every page, as a browser shows it: light and dark, on a telephone and on a desk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Response

ROUTES = (
    "/",
    "/search?q=file",
    "/search?q=hyprcore",
    "/search?q=sort:x",
    "/search?q=nothing-is-called-so-at-all",
    "/search?q=is:deprecated",
    "/package/hypercore",
    "/package/left-pad",
    "/package/react",
    "/package/no-such-packag",
    "/package/hypercore/versions",
    "/user/mafintosh",
    "/user/nobody-here",
    "/scope/types",
    "/compare?p=hypercore&p=hyperbee&p=corestore",
    "/compare",
    "/popular",
    "/newest",
    "/random",
    "/rising",
    "/network",
    "/about",
    "/nothing/here",
)

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (320, 1280)

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

HTML_BYTES_MAX = 30_000
TOTAL_BYTES_MAX = 50_000
REQUESTS_MAX = 3
SCRIPT_BYTES_MAX = 3_000

SHIFTS = """new Promise((done) => {
  const found = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) found.push([one.value,
      ...one.sources.map(({node}) => node?.outerHTML?.slice(0, 120) ?? node?.textContent)]);
  }).observe({type: "layout-shift", buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => done(found)));
})"""
"""What was moved after it was drawn, and how far."""

TOO_WIDE = """[...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1
    && !one.closest(".scroll, pre, [tabindex='0'], .hidden, .skip, svg"))
  .map((one) => one.outerHTML.slice(0, 120))"""


@dataclass
class Visit:
    """What happened while a page was open."""

    page: Page
    responses: list[Response] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def came(self, response: Response) -> None:
        self.responses.append(response)

    def said(self, message: ConsoleMessage) -> None:
        self.messages.append(f"{message.type}: {message.text}")


def visit(browser: Browser, address: str, **options: Any) -> Visit:
    """Open an address in a browser that has seen nothing yet."""
    context = browser.new_context(**options)
    found = Visit(context.new_page())
    found.page.on("response", found.came)
    found.page.on("console", found.said)
    found.page.on("pageerror", lambda error: found.messages.append(f"error: {error}"))
    found.page.goto(address, wait_until="load")
    return found


def bodies(one: Visit) -> dict[str, int]:
    """Bytes of each answer, by address."""
    return {response.url: len(response.body()) for response in one.responses}


@pytest.fixture(scope="module", params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(
    params=[(scheme, width) for scheme in SCHEMES for width in WIDTHS],
    ids=lambda one: f"{one[0]}-{one[1]}",
)
def looked_at(
    request: pytest.FixtureRequest, chromium: Browser, pages: str, route: str
) -> Iterator[Visit]:
    scheme, width = request.param
    found = visit(
        chromium, pages + route, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    yield found
    found.page.context.close()


def test_a_page_is_accessible_small_and_asks_nobody_else(
    looked_at: Visit, pages: str, route: str
) -> None:
    page = looked_at.page
    expected = {404, 400} if looked_at.responses[0].status >= 400 else {200}
    assert looked_at.responses[0].status in expected
    told_by_browser = [one for one in looked_at.messages if "status of 40" not in one]
    assert not told_by_browser
    assert {one.url.startswith(pages) for one in looked_at.responses} == {True}
    assert len(looked_at.responses) <= REQUESTS_MAX
    assert page.evaluate(SHIFTS) == []  # before axe looks around, which scrolls
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
    assert page.evaluate(TOO_WIDE) == []


def test_a_page_keeps_its_budget(chromium: Browser, pages: str, route: str) -> None:
    found = visit(chromium, pages + route)
    sizes = bodies(found)
    readme = found.page.evaluate("document.querySelector('.readme')?.outerHTML.length ?? 0")
    html = sizes[found.responses[0].url] - readme
    found.page.context.close()
    assert html <= HTML_BYTES_MAX
    assert sum(sizes.values()) - readme <= TOTAL_BYTES_MAX
    assert all(size <= SCRIPT_BYTES_MAX for url, size in sizes.items() if url.endswith(".js"))


def test_a_page_is_whole_without_scripts(chromium: Browser, pages: str, route: str) -> None:
    plain = visit(chromium, pages + route, java_script_enabled=False)
    assert len(plain.responses) <= REQUESTS_MAX
    scripted = visit(chromium, pages + route)
    assert headings(plain.page) == headings(scripted.page)
    assert set(links(plain.page)) <= set(links(scripted.page))
    plain.page.context.close()
    scripted.page.context.close()


def headings(page: Page) -> list[str]:
    return page.locator("h1, h2, h3").all_inner_texts()


def links(page: Page) -> list[str]:
    found = page.locator("a[href]").all()
    return [one.get_attribute("href") or "" for one in found]


def test_a_page_can_be_walked_through_by_keyboard(
    chromium: Browser, pages: str, route: str
) -> None:
    """The tabulator reaches everything once, in order, shows where it is, and is never trapped."""
    found = visit(chromium, pages + route)
    page = found.page
    wanted = page.evaluate(FOCUSABLE)
    reached = []
    for _ in range(wanted + 1):
        page.keyboard.press("Tab")
        told = page.evaluate(FOCUSED)
        if told is None:
            break
        reached.append(told)
    page.context.close()
    assert reached[0]["text"] == "Skip to the content"
    assert len({one["path"] for one in reached}) == wanted
    unseen = [one for one in reached if not one["seen"]]
    assert not unseen


FOCUSABLE = """[...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']"
  )].filter((one) => one.checkVisibility({visibilityProperty: true})).length"""

FOCUSED = """(() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const path = [];
  for (let up = one; up.parentElement; up = up.parentElement)
    path.push([...up.parentElement.children].indexOf(up));
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    path: path.join("."), text: one.textContent.trim(),
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 0,
  };
})()"""
