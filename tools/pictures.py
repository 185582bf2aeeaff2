"""Takes the pictures of the pages that the documents show, from the folder of `tools.ground`.

    .venv/bin/python -m tools.pictures

It needs Chromium, in the path or in PKGSTATS_CHROMIUM. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ("--no-sandbox", "--disable-background-networking", "--force-color-profile=srgb")

SIZE_MAX = 150_000
"""Bytes of a picture; all together at most `TOTAL_MAX`."""

TOTAL_MAX = 1_200_000

DEADLINE_S = 60


class Picture(NamedTuple):
    """What is shown, and how; the height is that of a window, not of the page."""

    name: str
    address: str
    scheme: Literal["light", "dark"] = "light"
    width: int = 1280
    height: int = 900


SHOWN = (
    Picture("home", "/"),
    Picture("search", "/search?q=append-only+log"),
    Picture("package", "/package/hypercore", height=1100),
    Picture("package-small", "/package/hypercore", "dark", 320, 1100),
    Picture("compare", "/compare?p=hypercore&p=hyperbee&p=corestore", height=1100),
    Picture("user", "/user/mafintosh", "dark"),
    Picture("network", "/network"),
    Picture("versions", "/package/hypercore/versions", height=1100),
)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of the pages about a folder, which are asked for nothing but pictures."""
    subprocess.run([sys.executable, "-m", "tools.ground", str(folder)], check=True, cwd=ROOT)
    command = [sys.executable, "-P", "-m", "pkgstats", "serve", "--data", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--json", "--offline"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line == "}\n":
                break
        yield str(json.loads(said)["pages"])
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def take(browser: Browser, base: str, picture: Picture) -> bytes:
    """One picture, as small as it can be without loss."""
    context = browser.new_context(
        color_scheme=picture.scheme,
        viewport={"width": picture.width, "height": picture.height},
        device_scale_factor=1,
        locale="en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.goto(base + picture.address, wait_until="load")
    data = page.screenshot(animations="disabled")
    context.close()
    return smaller(data)


def smaller(data: bytes) -> bytes:
    """A PNG whose pixels are compressed as well as zlib can; what only describes it is left out."""
    pixels, kept = b"", []
    place = len(SIGNATURE)
    while place < len(data):
        size, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        body = data[place + 8 : place + 8 + size]
        if kind == b"IDAT":
            pixels += body
        elif kind in {b"IHDR", b"PLTE", b"tRNS"}:
            kept.append(chunk(kind, body))
        place += size + 12
    raw = zlib.decompress(pixels)
    best = min((zlib_of(raw, strategy) for strategy in range(4)), key=len)
    return b"".join([SIGNATURE, *kept, chunk(b"IDAT", min(best, pixels, key=len)), chunk(b"IEND")])


SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """A part of a PNG: its length, kind, content and checksum."""
    checksum = zlib.crc32(kind + body)
    return len(body).to_bytes(4, "big") + kind + body + checksum.to_bytes(4, "big")


def zlib_of(raw: bytes, strategy: int) -> bytes:
    """Bytes compressed in one of zlib's ways."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, strategy)
    return packer.compress(raw) + packer.flush()


def main() -> None:
    """Take all pictures, and say how large they are."""
    path = os.environ.get("PKGSTATS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    total = 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        with serving(Path(folder) / "node") as base:
            for picture in SHOWN:
                data = take(browser, base, picture)
                assert len(data) <= SIZE_MAX, f"{picture.name}: {len(data):,} bytes"
                (PICTURES / f"pages-{picture.name}.png").write_bytes(data)
                print(f"{len(data):>9,}  pages-{picture.name}.png")
                total += len(data)
        browser.close()
    assert total <= TOTAL_MAX, f"all: {total:,} bytes"


if __name__ == "__main__":
    main()
