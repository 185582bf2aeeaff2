"""Takes the pictures of the pages that the documents show, from the folder of `tools.ground`.

    .venv/bin/python -m tools.pictures [NAME…]

Without names all of them. That of the network is of a second node, which fetches what the first one
has over a slow line. It needs Chromium, in the path or in PKGSTATS_CHROMIUM. Nothing is loaded from
elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from playwright.sync_api import sync_playwright
from tools.slow_line import HOST, slow_line

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

LINE_BYTES_PER_S = 20_000
"""So that the second node still lacks some of it when its picture is taken."""

CAUGHT_UP = 0.3
"""At least so much of it is here by then."""

LOOK_EVERY_S = 0.1

NETWORK = "network"
"""The picture that shows the second node."""


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
    Picture(NETWORK, "/network", height=1300),
    Picture("versions", "/package/hypercore/versions", height=1100),
)


class Served(NamedTuple):
    """A node that runs: its group's key, the address of its pages, its port for peers."""

    group: str
    pages: str
    port: int


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Served]:
    """A node that knows peers on this machine alone; its pages are asked for nothing but these."""
    command = [sys.executable, "-P", "-m", "pkgstats", "serve", "--data", str(folder)]
    alone = ["--no-dht", "--no-lan", "--peer-host", HOST]
    process = subprocess.Popen(
        [*command, "--port", "0", "--json", *alone, *options],
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
        told = json.loads(said)
        port = int(told["listens"][0].rpartition(":")[2])
        yield Served(told["group"], told["pages"], port)
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


@contextmanager
def catching_up(folder: Path, first: Served) -> Iterator[Served]:
    """A second node, which has some of what the first one has, and fetches the rest."""
    with slow_line(first.port, LINE_BYTES_PER_S) as port:
        options = ("--group", first.group, "--peer", f"{HOST}:{port}")
        with serving(folder, *options) as second:
            deadline = time.monotonic() + DEADLINE_S
            while not lags(told_of_network(second)):
                assert time.monotonic() < deadline, "the second node does not catch up"
                time.sleep(LOOK_EVERY_S)
            yield second


def told_of_network(node: Served) -> Any:
    """What its page of the network tells, for programs."""
    with urllib.request.urlopen(f"{node.pages}/network.json", timeout=DEADLINE_S) as answer:  # noqa: S310 - on this machine
        return json.load(answer)


def lags(told: Any) -> bool:
    """Whether a peer is there, and of a writer's feeds much is here, but not all."""
    cores = [core for one in told["writers"] if one["behind"] for core in one["cores"]]
    read, length = (sum(core[what] or 0 for core in cores) for what in ("read", "length"))
    return bool(told["peers"]) and CAUGHT_UP * length <= read < length


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


def main(names: list[str]) -> None:
    """Take the pictures of these names, or all, and say how large they are."""
    path = os.environ.get("PKGSTATS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    wanted = [one for one in SHOWN if not names or one.name in names]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        ground = Path(folder) / "node"
        subprocess.run([sys.executable, "-m", "tools.ground", str(ground)], check=True, cwd=ROOT)
        with serving(ground) as first:
            for picture in wanted:
                with ExitStack() as stack:
                    shown = first
                    if picture.name == NETWORK:
                        second = catching_up(Path(folder) / "second", first)
                        shown = stack.enter_context(second)
                    keep(picture, take(browser, shown.pages, picture))
        browser.close()
    total = sum(file.stat().st_size for file in PICTURES.glob("pages-*.png"))
    assert total <= TOTAL_MAX, f"all: {total:,} bytes"


def keep(picture: Picture, data: bytes) -> None:
    """Write a picture, and say how large it is."""
    assert len(data) <= SIZE_MAX, f"{picture.name}: {len(data):,} bytes"
    (PICTURES / f"pages-{picture.name}.png").write_bytes(data)
    print(f"{len(data):>9,}  pages-{picture.name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
