"""What a page can do to a run: each is one call of what the command does, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run, fresh_name

LOG = "process.log"


def begin(question: str, config: Config, name: str = "") -> Run:
    """Start a run; it is not stopped by whatever becomes of this page."""
    run = Run(config.out / (name or fresh_name(question)))
    run.folder.mkdir(parents=True, exist_ok=True)
    flags = [
        "--name",
        run.folder.name,
        "--out",
        str(config.out),
        "--model",
        config.model,
        "--effort",
        str(config.effort),
    ]
    flags += [part for path in config.docs for part in ("--docs", str(path))]
    _spawn(run, ["run", question, *flags, "--json"])
    return run


def go_on(run: Run) -> None:
    """Go on with a run that was stopped or killed."""
    _spawn(run, ["resume", str(run.folder), "--json"])


def revise(run: Run, evidence: Sequence[Path] = (), reopen: Sequence[str] = (), pin: Sequence[str] = ()) -> None:
    """Write the next version."""
    given = [("--evidence", str(p)) for p in evidence] + [("--reopen", s) for s in reopen] + [("--pin", s) for s in pin]
    _spawn(run, ["revise", str(run.folder), *(part for pair in given for part in pair), "--json"])


def _spawn(run: Run, words: Sequence[str]) -> None:
    with (run.folder / LOG).open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "palimpsest.ui.cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
