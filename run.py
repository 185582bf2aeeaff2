#!/usr/bin/env python3
"""The task runner. It needs Python 3.11 or newer and nothing else: no make, compiler, git or uv.

    python3 run.py serve     the demo: two writers, one reader, real sockets, then search and pages
    python3 run.py test      the tests; what follows goes to pytest: run.py test -k storage
    python3 run.py check     ruff format, ruff lint, mypy --strict
    python3 run.py bench     benchmarks, beside the JavaScript original where node is found
    python3 run.py interop   the tests against live JavaScript peers (needs node and npm)

What follows the verb is handed on: `python3 run.py serve --help`. The first run makes .venv beside
this file and installs the pinned packages of requirements.lock into it, which needs the network
once. Deleting .venv is always safe.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Command = list[str | Path]

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
VENV_LOCK = ROOT / ".venv.lock"
REQUIREMENTS = ROOT / "requirements.lock"
PACKAGES = (ROOT / "packages" / "hypermultifeed", ROOT / "packages" / "pkgstats")
INTEROP = ROOT / "interop"
PYTHON_MIN = (3, 11)
MYPY_TARGETS = ("packages", "bench", "examples", "tools", "tests", "run.py")
WINDOWS = os.name == "nt"


class Failure(Exception):  # noqa: N818 - it ends the run with a sentence; it is no error of ours
    """The run ends with this message and exit code 1."""


# --- processes ----------------------------------------------------------------------------------


def run(
    *command: str | Path, cwd: Path = ROOT, watch: Callable[[IO[str]], None] | None = None
) -> int:
    """Run one command to its end and return its exit code (128 + n when signal n ended it).

    Ctrl-C reaches the child through the terminal, SIGTERM is passed on; how to end is the child's
    decision, and it is always waited for, so that nothing outlives this process.
    """
    children: list[subprocess.Popen[str]] = []
    asked_to_end: list[int] = []  # by signals that came before the child was known

    def pass_on(signal_number: int, _: object) -> None:
        asked_to_end.append(signal_number)
        for child in children:
            child.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environment(),
            stdout=subprocess.PIPE if watch else None,
            stderr=subprocess.STDOUT if watch else None,
            text=True,
        )
        children.append(child)
        if asked_to_end:
            child.terminate()
        return wait(child, watch)
    finally:
        signal.signal(signal.SIGTERM, before)


def wait(child: subprocess.Popen[str], watch: Callable[[IO[str]], None] | None) -> int:
    """Wait for a child through any number of Ctrl-C; returns its exit code."""
    interrupted = False
    while True:
        try:
            if watch and child.stdout and not child.stdout.closed:
                with child.stdout:
                    watch(child.stdout)
            code = child.wait()
            break
        except KeyboardInterrupt:
            interrupted = True
    if interrupted and code != 0:
        return 130
    return 128 - code if code < 0 else code


def clean_environment() -> dict[str, str]:
    """The caller's environment without what would make pip install elsewhere than in .venv."""
    unwanted = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "__PYVENV_LAUNCHER__"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


# --- the virtual environment --------------------------------------------------------------------


def venv_program(name: str) -> Path:
    """Path of a program inside .venv."""
    return VENV / "Scripts" / f"{name}.exe" if WINDOWS else VENV / "bin" / name


def stamp() -> str:
    """What .venv depends on: the files it was made from, where it lies, and the Python."""
    digest = hashlib.sha256(f"{sys.version}\n{ROOT}\n".encode())
    for file in (REQUIREMENTS, *(package / "pyproject.toml" for package in PACKAGES)):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def is_fresh() -> bool:
    """Whether .venv is whole and made from today's files by this Python."""
    with contextlib.suppress(OSError):
        return (VENV / "stamp").read_text() == stamp() and venv_program("python").exists()
    return False


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file that the system frees when its holder dies; wait if another run has it."""
    with path.open("a+b") as file:
        if not try_lock(file, wait=False):
            say("another run.py is preparing .venv; waiting for it")
            try_lock(file, wait=True)
        yield


def try_lock(file: IO[bytes], *, wait: bool) -> bool:
    """Lock an open file; without `wait` say at once whether that was possible."""
    if sys.platform == "win32":
        file.seek(0)
        while True:  # even the waiting call gives up after ten tries, one a second
            with contextlib.suppress(OSError):
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                return True
            if not wait:
                return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def prepare() -> None:
    """Make .venv if it is missing or made from other files. The stamp is written last."""
    if is_fresh():
        return
    with exclusive(VENV_LOCK):
        if is_fresh():  # the run that we waited for made it
            return
        if Path(sys.prefix).resolve() == VENV:
            raise Failure("this Python is .venv's own, which has to be remade; use your system's")
        need_ensurepip()
        try:
            build()
        except BaseException:
            shutil.rmtree(VENV, ignore_errors=True)
            raise


def need_ensurepip() -> None:
    """Say which package is missing on systems that split venv off."""
    if importlib.util.find_spec("ensurepip") is not None:
        return
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise Failure(
        f"{sys.executable} cannot make virtual environments: its ensurepip is missing.\n"
        f"  Debian, Ubuntu:  sudo apt install python{version}-venv\n"
        f"  elsewhere:       install the package that holds Python's venv and ensurepip"
    )


def build() -> None:
    """Create .venv, install the locked packages, then our two, editable."""
    version = ".".join(map(str, sys.version_info[:3]))
    say(f"making .venv with Python {version}; this happens once and takes about half a minute")
    if VENV.exists():
        shutil.rmtree(VENV)
    say("1/3  a virtual environment")
    step([sys.executable, "-I", "-m", "venv", VENV], "the virtual environment could not be made")
    names = [line.split("==")[0] for line in REQUIREMENTS.read_text().splitlines() if "==" in line]
    say(f"2/3  {len(names)} pinned packages, each checked against its hash")
    pip: Command = [venv_program("python"), "-I", "-m", "pip", "install"]
    step(
        [*pip, "--no-compile", "--require-hashes", "--only-binary=:all:", "-r", REQUIREMENTS],
        "the pinned packages could not be installed (is the network there?)",
        total=len(names),
    )
    say("3/3  hypermultifeed and pkgstats, straight from this folder")
    ours: Command = [argument for package in PACKAGES for argument in ("-e", str(package))]
    step(
        [*pip, "--no-index", "--no-deps", "--no-build-isolation", *ours],
        "the project's own packages could not be installed",
    )
    partial = VENV / "stamp.partial"
    partial.write_text(stamp())
    partial.replace(VENV / "stamp")
    say("ready")


def step(command: Command, failure: str, *, total: int = 0) -> None:
    """One command of the building; its output is shown only if it fails."""
    lines: list[str] = []
    on_terminal = sys.stderr.isatty()

    def watch(output: IO[str]) -> None:
        for line in output:
            lines.append(line)
            if total and on_terminal and line.startswith("Collecting "):
                count = sum(1 for seen in lines if seen.startswith("Collecting "))
                print(f"\r     {count}/{total}  {line.split()[1]:<60.60}", end="", file=sys.stderr)

    code = run(*command, watch=watch)
    if total and on_terminal:
        print("\r" + " " * 79 + "\r", end="", file=sys.stderr)
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise Failure("".join(lines[-40:]) + f"{failure} (exit code {code})")


# --- the verbs ----------------------------------------------------------------------------------


def serve(arguments: list[str]) -> int:
    """Two writers, one reader, then search. Relative paths count from the caller's folder."""
    return run(venv_program("python"), "-P", "-m", "pkgstats", "demo", *arguments, cwd=Path.cwd())


def test(arguments: list[str]) -> int:
    """All tests; those that need node are skipped where it is missing, and say so."""
    return run(venv_program("python"), "-m", "pytest", *arguments)


def check(arguments: list[str]) -> int:
    """Formatting, lint and types. All are run, so that one round shows everything."""
    if arguments:
        raise Failure("check takes no arguments")
    python = venv_program("python")
    targets = [target for target in MYPY_TARGETS if (ROOT / target).exists()]
    commands = (
        ("ruff", "format", "--check", "."),
        ("ruff", "check", "."),
        ("mypy", *targets),
    )
    failed = [" ".join(command[:2]) for command in commands if run(python, "-m", *command)]
    say(f"failed: {', '.join(failed)}" if failed else "check: all good")
    return 1 if failed else 0


def bench(arguments: list[str]) -> int:
    """The benchmarks."""
    return run(venv_program("python"), ROOT / "bench" / "run.py", *arguments)


def interop(arguments: list[str]) -> int:
    """Install the pinned JavaScript packages if needed, then run the tests that talk to them."""
    npm_ci()
    return run(venv_program("python"), "-m", "pytest", "-m", "interop", *arguments)


def npm_ci() -> None:
    """`npm ci` in interop/, once for each package-lock.json."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Failure("interop needs node and npm (Debian, Ubuntu: sudo apt install nodejs npm)")
    done = INTEROP / "node_modules" / ".stamp"
    wanted = hashlib.sha256((INTEROP / "package-lock.json").read_bytes()).hexdigest()
    with contextlib.suppress(OSError):
        if done.read_text() == wanted:
            return
    say("installing the pinned JavaScript packages into interop/node_modules")
    code = run(npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=INTEROP)
    if code:
        raise Failure(f"npm ci failed (exit code {code})")
    done.write_text(wanted)


VERBS: dict[str, Callable[[list[str]], int]] = {
    "serve": serve,
    "test": test,
    "check": check,
    "bench": bench,
    "interop": interop,
}


def say(text: str) -> None:
    """A line about what the runner itself does; tasks own standard output."""
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run one verb; returns the exit code."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print((__doc__ or "").strip())
        return 0 if arguments else 2
    verb = VERBS.get(arguments[0])
    if verb is None:
        say(f"no verb {arguments[0]!r}; there are: {', '.join(VERBS)}")
        return 2
    try:
        prepare()
        return verb(arguments[1:])
    except Failure as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


if __name__ == "__main__":
    if sys.version_info < PYTHON_MIN:
        sys.exit(
            "run.py: Python 3.11 or newer is needed; this is {}.{}".format(*sys.version_info[:2])
        )
    sys.exit(main(sys.argv[1:]))
