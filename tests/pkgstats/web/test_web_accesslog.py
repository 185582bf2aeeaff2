from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from pkgstats.web.accesslog import ASKED_MAX, AccessLog, line, opened
from pkgstats.web.site import Settings
from pkgstats.web.watching import Answered

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_000.9
ASKED = Answered("192.0.2.7", "GET", b"/search", b"q=my%20secret", "1.1", 200, 1234, 0.01234)


def test_a_line_is_as_others_write_it() -> None:
    assert line(ASKED, NOW, queries=False) == (
        '192.0.2.7 - - [21/Sep/2026:14:13:20 +0000] "GET /search HTTP/1.1" 200 1234 12.3\n'
    )


def test_what_was_looked_for_is_written_only_if_that_was_asked() -> None:
    assert "secret" not in line(ASKED, NOW, queries=False)
    assert '"GET /search?q=my%20secret HTTP/1.1"' in line(ASKED, NOW, queries=True)
    assert "?" not in line(ASKED._replace(query=b""), NOW, queries=True)


@pytest.mark.parametrize("path", [b'/" 200 1\n192.0.2.8 - -', b"/\x1b[2J", "/ä\u202e".encode()])
def test_nobody_writes_lines_of_their_own(path: bytes) -> None:
    told = line(ASKED._replace(path=path, method='G"T'), NOW, queries=False)
    assert told.isascii()
    assert told.isprintable() is False  # for its end
    assert told[:-1].isprintable()
    assert told.count('"') == 2


def test_a_line_does_not_grow() -> None:
    assert len(line(ASKED._replace(path=b"/" * 9999), NOW, queries=True)) < ASKED_MAX + 200


def test_an_answer_without_a_body_and_a_client_without_an_address() -> None:
    told = line(ASKED._replace(bytes=0, client=""), NOW, queries=False)
    assert told.startswith("- - - [")
    assert told.endswith(" 200 - 12.3\n")


def test_a_log_is_continued(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    for _ in range(2):
        with opened(Settings(access_log=str(file))) as log:
            assert log is not None
            log(ASKED)
            assert file.read_text().endswith("12.3\n")  # at once
    assert len(file.read_text().splitlines()) == 2


def test_there_is_none_unless_asked_for() -> None:
    with opened(Settings()) as log:
        assert log is None


def test_it_may_go_where_errors_go(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(Settings(access_log="-", log_queries=True)) as log:
        assert log is not None
        log(ASKED)
    assert "?q=my%20secret" in capsys.readouterr().err
    assert not sys.stderr.closed


def test_a_full_disk_is_nobodys_trouble() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "no space left")

    AccessLog(Full())(ASKED)
