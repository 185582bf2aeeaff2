"""The task runner: what it decides by itself. Making a real .venv is what each run of it shows."""

from __future__ import annotations

import importlib.util
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """run.py as a module whose repository is a small one in `tmp_path`."""
    spec = importlib.util.spec_from_file_location("run_under_test", ROOT / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    package = tmp_path / "packages" / "one"
    package.mkdir(parents=True)
    (package / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "requirements.lock").write_text("a==1 --hash=sha256:00\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "VENV_LOCK", tmp_path / ".venv.lock")
    monkeypatch.setattr(module, "REQUIREMENTS", tmp_path / "requirements.lock")
    monkeypatch.setattr(module, "PACKAGES", (package,))
    return module


def fake_build(runner: ModuleType) -> None:
    """What build() leaves behind, without its minutes."""
    python = runner.venv_program("python")
    python.parent.mkdir(parents=True)
    python.touch()
    (runner.VENV / "stamp").write_text(runner.stamp())


def code(runner: ModuleType, program: str) -> int:
    result = runner.run(sys.executable, "-c", program)
    assert isinstance(result, int)
    return result


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(
    runner: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert runner.main(arguments) == (0 if arguments else 2)
    shown = capsys.readouterr().out
    for verb in runner.VERBS:
        assert f"python3 run.py {verb} " in shown


def test_an_unknown_verb_lists_the_known_ones(
    runner: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(["dance"]) == 2
    shown = capsys.readouterr().err
    assert "'dance'" in shown
    assert all(verb in shown for verb in runner.VERBS)
    assert not runner.VENV.exists()


def test_exit_codes_of_commands_come_back(runner: ModuleType) -> None:
    assert code(runner, "raise SystemExit(7)") == 7
    assert code(runner, "") == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to die of")
def test_a_command_ended_by_a_signal_gives_the_shells_code(runner: ModuleType) -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert code(runner, program) == 128 + signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot deliver SIGTERM to itself")
def test_sigterm_is_passed_on_and_the_child_ends_in_its_own_way(runner: ModuleType) -> None:
    program = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "signal.pause()\n"
    )
    assert code(runner, program) == 42
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_commands_do_not_see_what_would_send_pip_elsewhere(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TARGET", "/nowhere")
    monkeypatch.setenv("KEPT", "yes")
    environment = runner.clean_environment()
    assert "PIP_TARGET" not in environment
    assert environment["KEPT"] == "yes"


def test_the_stamp_depends_on_every_input(runner: ModuleType) -> None:
    seen = {runner.stamp()}
    for file in (runner.REQUIREMENTS, runner.PACKAGES[0] / "pyproject.toml"):
        file.write_text(file.read_text() + "# changed\n")
        seen.add(runner.stamp())
    assert len(seen) == 3


def test_a_fresh_environment_is_not_built_again(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds: list[int] = []

    def build() -> None:
        builds.append(1)
        fake_build(runner)

    monkeypatch.setattr(runner, "build", build)
    runner.prepare()
    runner.prepare()
    assert builds == [1]
    (runner.VENV / "stamp").write_text("of other files")
    monkeypatch.setattr(runner, "build", lambda: builds.append(2))
    runner.prepare()
    assert builds == [1, 2]


@pytest.mark.parametrize("reason", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_build_leaves_nothing(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, reason: type[BaseException]
) -> None:
    def build() -> None:
        (runner.VENV / "lib").mkdir(parents=True)
        raise reason

    monkeypatch.setattr(runner, "build", build)
    with pytest.raises(reason):
        runner.prepare()
    assert not runner.VENV.exists()


def test_two_runs_at_once_build_once(runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[str] = []
    second_waits = threading.Event()

    def build() -> None:
        builds.append("started")
        assert second_waits.wait(10)
        fake_build(runner)

    monkeypatch.setattr(runner, "build", build)
    monkeypatch.setattr(runner, "say", lambda text: second_waits.set() if "another" in text else 0)
    both = [threading.Thread(target=runner.prepare) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert builds == ["started"]
    assert runner.is_fresh()


def test_a_missing_ensurepip_names_the_package(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert runner.main(["check"]) == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"apt install python{version}-venv" in capsys.readouterr().err


def test_its_own_python_cannot_remake_the_environment(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "prefix", str(runner.VENV))
    assert runner.main(["check"]) == 1
    assert "use your system's" in capsys.readouterr().err


def test_a_failing_step_shows_what_the_command_said(runner: ModuleType) -> None:
    with pytest.raises(runner.Failure, match=r"(?s)no such package.*not installed.*code 3"):
        runner.step(
            [sys.executable, "-c", "print('no such package'); raise SystemExit(3)"],
            "it was not installed",
        )


def test_check_runs_all_parts_and_names_those_that_failed(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(_python: Path, _module: str, *command: str) -> int:
        ran.append(" ".join(command[:2]))
        return 1 if command[:2] == ("ruff", "check") else 0

    monkeypatch.setattr(runner, "run", run)
    assert runner.check([]) == 1
    assert ran == ["ruff format", "ruff check", "mypy packages"]
    assert "failed: ruff check" in capsys.readouterr().err


def test_interop_without_node_says_what_to_install(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(runner.Failure, match="node and npm"):
        runner.interop([])
