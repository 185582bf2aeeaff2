"""A person's walk through the pages, first in a peer's own copy, then with everything else off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pkgstats.browser.conftest import serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page


def walk(page: Page, address: str) -> None:
    """From the first page to a feed, by what a person sees and presses."""
    page.goto(address)
    page.get_by_role("combobox", name="Search npm packages").or_(
        page.get_by_role("searchbox", name="Search npm packages")
    ).fill("hyprcore")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=hyprcore")
    page.get_by_role("main").get_by_role("link", name="hypercore", exact=True).first.click()
    page.wait_for_url("**/package/hypercore")
    assert page.get_by_role("heading", level=1).inner_text().startswith("hypercore")
    page.get_by_role("link", name="mafintosh").first.click()
    page.wait_for_url("**/user/mafintosh")
    assert page.get_by_role("link", name="hyperbee", exact=True).count() >= 1
    page.goto(f"{address}/compare?p=hypercore&p=hyperbee&p=corestore")
    assert page.get_by_role("img").count() >= 1
    for name in ("hypercore", "hyperbee", "corestore"):
        assert page.get_by_role("link", name=name, exact=True).count() >= 1
    page.go_back()
    page.get_by_role("link", name="Atom").click()


def test_a_persons_walk(chromium: Browser, pages: str) -> None:
    context = chromium.new_context()
    walk(context.new_page(), pages)
    context.close()


def test_the_same_walk_without_scripts(chromium: Browser, ground: Path) -> None:
    with serving(ground) as address:
        context = chromium.new_context(java_script_enabled=False)
        walk(context.new_page(), address)
        context.close()
