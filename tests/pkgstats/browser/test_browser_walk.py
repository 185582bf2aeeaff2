"""A person's walk through the pages, first in a peer's own copy, then with everything else off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pkgstats.browser.conftest import copied, serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page


WAIT_MS = 15_000


def walk(page: Page, address: str) -> None:
    """From the first page to a feed, by what a person sees and presses."""
    page.goto(address)
    page.get_by_role("combobox", name="Search npm packages").or_(
        page.get_by_role("searchbox", name="Search npm packages")
    ).fill("hyprcore")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=hyprcore")
    page.get_by_text("Did you mean").get_by_role("link", name="hypercore").click()
    page.wait_for_url("**/search?q=hypercore")
    page.locator("a.name", has_text="hypercore").first.click()
    page.wait_for_url("**/package/hypercore")
    assert page.get_by_role("heading", level=1).inner_text().startswith("hypercore")
    page.get_by_role("link", name="mafintosh").first.click()
    page.wait_for_url("**/user/mafintosh")
    assert page.get_by_role("link", name="hyperbee", exact=True).count() >= 1
    page.go_back()
    for other in ("hyperbee", "corestore"):
        page.get_by_label("Compare with").or_(page.get_by_label("Add", exact=True)).fill(other)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/compare?*{other}*")
    assert page.get_by_role("img").count() >= 1
    for name in ("hypercore", "hyperbee", "corestore"):
        assert page.get_by_role("link", name=name, exact=True).count() >= 1
    page.goto(f"{address}/package/hypercore")
    feed = page.get_by_role("link", name="Atom", exact=True).get_attribute("href")
    answer = page.request.get(address + str(feed))
    assert answer.headers["content-type"].startswith("application/atom+xml")
    assert "<title>hypercore" in answer.text()


def test_a_persons_walk_and_once_more_offline(
    ground: Path, tmp_path: Path, chromium: Browser
) -> None:
    folder = copied(ground, tmp_path)
    for how in (("--no-dht", "--no-lan", "--peer-host", "127.0.0.1"), ("--offline",)):
        with serving(folder, *how) as address:
            for scripts in (True, False):
                context = chromium.new_context(java_script_enabled=scripts)
                context.set_default_timeout(WAIT_MS)
                walk(context.new_page(), address)
                context.close()
