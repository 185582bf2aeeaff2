"""Files that pages load."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pkgstats.web.assets import assets, path_of, squeezed

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("name", ["style.css", "script.js"])
async def test_a_file_may_be_kept_for_ever(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.get(path_of(name))
    assert answer.content == assets()[name].body
    assert "immutable" in answer.headers["cache-control"]
    assert re.fullmatch(r"/static/[a-z]+\.[0-9a-f]{12}\.(css|js)", path_of(name))


async def test_files_of_another_version_are_not_there(http: httpx.AsyncClient) -> None:
    assert (await http.get("/static/style.css")).status_code == 404
    assert (await http.get("/static/style.000000000000.css")).status_code == 404


def test_the_script_is_small() -> None:
    assert len(assets()["script.js"].body) <= 3000


def test_the_script_asks_nobody_but_the_site() -> None:
    text = assets()["script.js"].body.decode()
    assert re.findall(r"fetch\(([^ ]+)", text) == ['"/suggest?q="']
    assert not re.search(r"https?:|innerHTML|eval|document\.write|cookie", text)


def test_the_style_loads_nothing() -> None:
    assert not re.search(r"url\(|@import|@font-face", assets()["style.css"].body.decode())


def test_what_only_people_need_is_left_out() -> None:
    css = '/* why */\na:is(b, c) d {\n  color: red;\n  content: " x";\n}\n@media (x: y) {\n}\n'
    assert squeezed(css, "css") == 'a:is(b,c) d{color:red;content:" x";}@media (x:y){}'
    js = "// why\nlet a = 1;\n\n  if (a) {\n    b();  }\n"
    assert squeezed(js, "js") == "let a = 1;\nif (a) {\nb();  }"


def test_no_text_of_the_style_would_be_changed() -> None:
    text = assets()["style.css"].body.decode()
    assert text.count("{") == text.count("}")
    assert "/*" not in text
    for said in re.findall(r'content:"([^"]*)"', text):
        assert not re.search(r"[{};:,]", said)
