"""Posts to a file, at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.posting.poster import RefusedError

if TYPE_CHECKING:
    from pathlib import Path


class FilePoster:
    """Appends posts to a file, an empty line after each.

    Args:
        file: made if it is not there.
    """

    social = False
    knows_again_s = 0.0

    def __init__(self, file: Path) -> None:
        self._file = file
        self.place = str(file.absolute())

    async def send(self, text: str, key: str) -> None:
        """Append it.

        Raises:
            RefusedError: the file cannot be written to.
        """
        del key
        try:
            with self._file.open("a", encoding="utf-8", newline="\n") as out:
                out.write(f"{text}\n\n")
        except OSError as error:
            raise RefusedError(f"{self._file}: {error.strerror or error}") from error
