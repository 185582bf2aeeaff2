"""Write requirements.lock anew: every package, transitive ones too, pinned with its hashes.

    .venv/bin/python tools/lock.py

What goes in: the dependencies in packages/*/pyproject.toml and the group `dev` in the root's
pyproject.toml. One lock serves Linux, macOS and Windows and all supported Pythons: it is written
by a resolver that knows environment markers (uv, in a throw-away folder), then resolved again for
each platform and Python, which proves that wheels exist for all of them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "macos",
    "windows",
)
HEADER = "# Made by tools/lock.py; do not edit. Every wheel is checked against these hashes.\n"


def wanted() -> list[str]:
    """The requirements that people wrote, without our own two packages."""
    found: set[str] = set()
    for file in sorted(ROOT.glob("packages/*/pyproject.toml")):
        found.update(tomllib.loads(file.read_text())["project"]["dependencies"])
    found.update(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"])
    return sorted(one for one in found if not one.startswith(("hypermultifeed", "pkgstats")))


def main() -> None:
    """Resolve, write, then check each platform."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        venv.create(work / "venv", with_pip=True)
        scripts = work / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        subprocess.run([scripts / "python", "-m", "pip", "install", "-q", "uv"], check=True)
        compile_: list[str | Path] = [
            scripts / "uv",
            "pip",
            "compile",
            "--quiet",
            "--only-binary",
            ":all:",
        ]
        (work / "requirements.in").write_text("\n".join(wanted()) + "\n")
        plain = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        everywhere = ["--universal", "--python-version", PYTHONS[0], "--generate-hashes"]
        result = work / "requirements.lock"
        subprocess.run(
            [*compile_, *plain, *everywhere, "-o", result, work / "requirements.in"], check=True
        )
        for platform in PLATFORMS:
            for python in PYTHONS:
                place = ["--python-platform", platform, "--python-version", python]
                subprocess.run([*compile_, *place, "-o", work / "check", result], check=True)
        LOCK.write_text(HEADER + result.read_text())


if __name__ == "__main__":
    main()
