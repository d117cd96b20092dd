"""Folders and disks that are not as usual: the scripted writer in a process that has no more rights than files give."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workflows import scripted

ROOT = Path(__file__).parents[2]
PROGRAM = "from tests.workflows import scripted; from palimpsest.ui import cli; scripted.use(setattr); cli.main()"
ASK = ("run", scripted.QUESTION, "--docs", "docs", "--quiet")
Command = Callable[..., subprocess.CompletedProcess[str]]


def humble() -> None:
    """From here on permissions hold for root too: two capabilities leave the bounding set."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """`research ARGUMENTS` in a folder with docs/; `most` is the largest file it may write, in bytes."""
    scripted.lay_documents(tmp_path / "docs")
    plain = {k: v for k, v in os.environ.items() if not k.startswith("RESEARCH_")}

    def call(*arguments: str, most: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        def limit() -> None:
            humble()
            if most:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=tmp_path,
            env={**plain, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache"), **variables},
            preexec_fn=limit,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


@pytest.fixture
def unlocked(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """`seal(folder)` takes the right to write from all in it; it is given back for the folder to be removed."""
    sealed: list[Path] = []

    def seal(folder: Path) -> None:
        sealed.append(folder)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)

    yield seal
    for folder in sealed:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)


def assert_refused(done: subprocess.CompletedProcess[str], codes: tuple[int, ...], *message: str) -> None:
    assert done.returncode in codes, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("research: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for part in message:
        assert part in done.stderr
    assert "damaged" not in done.stderr
    assert "delete" not in done.stderr


def test_runs_that_may_only_be_read(tmp_path: Path, command: Command, unlocked: Callable[[Path], None]) -> None:
    assert command(*ASK).returncode == 0
    unlocked(tmp_path / "runs")
    done = command("verify", "last")
    assert (done.returncode, done.stderr) == (0, "")
    assert_refused(command(*ASK), (2,), "cannot write runs into runs (Permission denied); give --out a folder")
    assert_refused(command("revise", "last", "--evidence", "docs/barges.md"), (1, 2), "Permission denied")


def test_an_index_that_may_only_be_read(tmp_path: Path, command: Command, unlocked: Callable[[Path], None]) -> None:
    assert command("index", "add", "docs").returncode == 0
    unlocked(tmp_path / "cache")
    for arguments in (ASK, ("index", "info", "--docs", "docs")):
        done = command(*arguments)
        assert "Traceback" not in done.stderr
        if done.returncode:
            assert_refused(done, (1, 2), str(tmp_path / "cache"))


def test_a_cache_that_cannot_be_made(tmp_path: Path, command: Command) -> None:
    (tmp_path / "cache").write_text("")
    assert_refused(command(*ASK), (1, 2), str(tmp_path / "cache"))


def test_a_disk_that_is_full_costs_nothing_that_was_done(tmp_path: Path, command: Command) -> None:
    """No file may grow beyond a size, which fails as a full disk does, in Python's files and in SQLite's."""
    whole = command(*ASK).stdout
    shutil.rmtree(tmp_path / "runs")
    stopped = command(*ASK, most=20_000)
    assert_refused(stopped, (1, 2))
    begun = list((tmp_path / "runs").glob("*/run.json"))
    last = command("resume", "last", "--quiet") if begun else command(*ASK)
    assert (last.returncode, last.stdout) == (0, whole)
    assert command("verify", "last").returncode == 0


def test_no_home_and_no_cache_folder_named(command: Command) -> None:
    done = command(*ASK, HOME="/proc/nowhere", XDG_CACHE_HOME="/proc/nowhere/cache")
    assert_refused(done, (1, 2), "/proc/nowhere")
