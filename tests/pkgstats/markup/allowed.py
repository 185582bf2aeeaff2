"""What a rendered readme may consist of, told apart from how it is made: a list of its own."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

EMPTY: Final = {"br", "hr", "img"}
TAGS: Final = EMPTY | set(
    """
    a b blockquote caption cite code del details dfn div em h2 h3 h4 h5 h6 i ins kbd li mark ol p
    pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var
    """.split()  # noqa: SIM905
)
ALIGN: Final = "r-center|r-right"
VALUES: Final = {
    ("a", "href"): r"https?://[\w.%-]+(:\d+)?([/?#][^\s\"<>\\]*)?|mailto:[^\s\"<>]+|#r-[^\s\"<>]*",
    ("a", "rel"): "nofollow ugc noopener noreferrer",
    ("a", "class"): "r-image",
    ("span", "class"): "r-image|h-[ckasnftid]",
    ("pre", "class"): "r-code|r-plain",
    ("pre", "tabindex"): "0",
    ("div", "class"): f"r-scroll|{ALIGN}",
    ("div", "tabindex"): "0",
    ("div", "role"): "region",
    ("div", "aria-label"): r"Table \d+",
    ("ol", "start"): r"\d{1,4}",
    ("img", "src"): r"https://[^\s\"<>\\]+",
    ("img", "alt"): r"[\s\S]*",
    ("img", "width"): r"\d{1,4}",
    ("img", "height"): r"\d{1,4}",
    ("img", "loading"): "lazy",
    ("img", "referrerpolicy"): "no-referrer",
    ("p", "class"): ALIGN,
    **{(cell, name): r"\d{1,2}" for cell in ("td", "th") for name in ("colspan", "rowspan")},
    **{(cell, "class"): ALIGN for cell in ("td", "th")},
    **{(f"h{level}", "id"): r"r-[\w-]*" for level in range(2, 7)},
    **{(f"h{level}", "class"): ALIGN for level in range(2, 7)},
}


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.open: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.problems.append(f"<{tag}>")
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.problems.append(f"{tag}: an attribute twice")
        for name, value in attrs:
            shape = VALUES.get((tag, name))
            if value is None or shape is None or not re.fullmatch(shape, value):
                self.problems.append(f"{tag}: {name}={value!r}")
            if name == "id" and value in self.ids:
                self.problems.append(f"id {value} twice")
            self.ids |= {value or ""} if name == "id" else set()
        if tag == "a" and (dict(attrs).get("rel") is None or "a" in self.open):
            self.problems.append("a link without rel, or in a link")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> out of place")

    def handle_comment(self, data: str) -> None:
        self.problems.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.problems.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.problems.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.problems.append(f"<![{data}]>")


def problems(html: str) -> list[str]:
    """All that should not be there; empty for what may stand in a page."""
    checker = _Checker()
    checker.feed(html)
    checker.close()
    return checker.problems + [f"<{tag}> left open" for tag in checker.open]
