"""What the script adds: suggestions while typing, a key to the search field, and the tray."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


@pytest.fixture
def page(pages: str, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(base_url=pages)
    one = context.new_page()
    one.goto("/")
    yield one
    context.close()


def suggested(page: Page, typed: str) -> list[str]:
    """What is suggested after this was typed."""
    with page.expect_response("**/suggest?q=*"):
        page.locator("#q").press_sequentially(typed)
    page.get_by_role("option").first.wait_for()
    return page.get_by_role("option").locator("b").all_inner_texts()


def chosen(page: Page) -> list[str]:
    return page.locator("[role=option][aria-selected=true] b").all_inner_texts()


def test_names_are_suggested_and_can_be_chosen_by_keys(page: Page) -> None:
    field = page.get_by_role("combobox", name="Search npm packages")
    field.focus()
    assert field.get_attribute("aria-expanded") == "false"
    names = suggested(page, "hyperc")
    assert names[0] == "hypercore"
    assert field.get_attribute("aria-expanded") == "true"
    assert chosen(page) == []
    field.press("ArrowDown")
    assert chosen(page) == names[:1]
    active = field.get_attribute("aria-activedescendant")
    assert page.locator(f"#{active} b").inner_text() == names[0]
    field.press("ArrowUp")
    assert chosen(page) == []
    field.press("ArrowUp")
    assert chosen(page) == names[-1:]
    for _ in range(2):
        field.press("ArrowDown")
    field.press("Enter")
    page.wait_for_url("**/package/hypercore")


def test_escape_closes_and_enter_without_a_choice_searches(page: Page) -> None:
    field = page.locator("#q")
    suggested(page, "hyperc")
    field.press("Escape")
    assert page.get_by_role("listbox").count() == 0
    assert field.input_value() == "hyperc"
    suggested(page, "o")
    field.press("Enter")
    page.wait_for_url("**/search?q=hyperco")


def test_a_suggestion_can_be_clicked(page: Page) -> None:
    suggested(page, "hyperc")
    page.get_by_role("option").first.click()
    page.wait_for_url("**/package/hypercore")


def test_a_stroke_leads_to_the_field_unless_one_types(page: Page) -> None:
    page.keyboard.press("Control+/")
    assert page.evaluate("document.activeElement.id") != "q"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.locator("#q").input_value() == ""
    page.keyboard.press("/")
    assert page.locator("#q").input_value() == "/"


def test_the_tray_collects_packages_over_pages(page: Page) -> None:
    page.goto("/popular")
    assert page.locator(".tray").is_hidden()
    buttons = page.get_by_role("button", name="Compare")
    names = page.locator(".hit a.name").all_inner_texts()[:6]
    for number in range(6):
        buttons.nth(number).click()
    assert buttons.nth(6).is_disabled()
    page.goto("/about")
    link = page.locator(".tray a")
    assert link.inner_text() == "Compare " + ", ".join(names)
    link.click()
    page.wait_for_url("**/compare?p=*")
    assert page.get_by_role("link", name=names[5], exact=True).count() >= 1
    page.goto("/popular")
    assert buttons.first.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".tray").is_hidden()
    assert buttons.first.get_attribute("aria-pressed") == "false"


def test_without_scripts_nothing_is_shown_that_needs_them(pages: str, chromium: Browser) -> None:
    context = chromium.new_context(base_url=pages, java_script_enabled=False)
    page = context.new_page()
    page.goto("/popular")
    assert page.locator("kbd:visible, .pick:visible, .tray").count() == 0
    assert page.locator(".hit").count() > 10
    context.close()
