from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.posting.choosing import Post
from pkgstats.posting.memory import KEPT_DAYS, Memory
from pkgstats.posting.pace import DAY_S
from pkgstats.posting.poster import PostError

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_000.25
POST = Post("popular:a", "text of a")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.db"


def test_what_was_made_is_known_to_the_next_process(file: Path) -> None:
    with Memory(file, "-") as memory:
        assert memory.known(NOW) == set()
        assert memory.begin(POST, NOW) is not None
        memory.made(POST.key, NOW + 1)
    with Memory(file, "-") as memory, Memory(file, "elsewhere") as other:
        assert memory.known(NOW + 2) == {"popular:a"}
        assert memory.sent(NOW + 2) == [NOW + 1]
        assert memory.unsure(0) == []
        assert other.known(NOW + 2) == set()


def test_what_was_begun_goes_on_under_its_key(file: Path) -> None:
    with Memory(file, "-") as memory:
        begun = memory.begin(POST, NOW)
        assert begun is not None
        assert memory.begin(Post(POST.key, "other words"), NOW + 1) is None
    with Memory(file, "-") as memory:
        assert memory.unsure(NOW - 1) == [begun]
        assert memory.unsure(NOW) == []
        assert memory.known(NOW) == {"popular:a"}
        memory.withdraw(POST.key)
        assert memory.known(NOW) == set()
        again = memory.begin(POST, NOW + 5)
    assert again is not None
    assert again.token != begun.token


def test_what_is_old_is_forgotten(file: Path) -> None:
    later = NOW + KEPT_DAYS * DAY_S
    with Memory(file, "-") as memory:
        memory.begin(POST, NOW)
        assert memory.known(later - 1) == {POST.key}
        assert memory.known(later) == set()
        assert memory.sent(NOW + DAY_S - 1) == [NOW]
        assert memory.sent(NOW + DAY_S) == []
        memory.begin(Post("newest:b", ""), later)
        assert memory.known(0) == {"newest:b"}, "the file is bounded"


def test_a_look_makes_and_changes_no_file(file: Path) -> None:
    with Memory.peek(file, "-") as memory:
        assert memory.known(NOW) == set()
    assert not file.exists()
    with Memory(file, "-") as memory:
        memory.begin(POST, NOW)
    with Memory.peek(file, "-") as memory:
        assert memory.known(NOW) == {POST.key}
        with pytest.raises(PostError, match="readonly"):
            memory.begin(Post("newest:b", ""), NOW)


def test_a_damaged_file_is_said_to_be_one(file: Path) -> None:
    file.write_bytes(b"no database at all, but long enough to be read as one" * 20)
    with pytest.raises(PostError, match=r"posts\.db: .*posted again"):
        Memory(file, "-")
    with pytest.raises(PostError, match=r"posts\.db"):
        Memory.peek(file, "-")
