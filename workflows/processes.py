"""A run as a process of its own, seen and stopped through its folder: whoever looks on may go, come back, or be two.

The process goes on with whatever the folder's record says is to be written.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

from palimpsest.agent.plans import Plan

from . import research
from .config import Config
from .errors import BUDGET, FAILED, ResearchError, RetrievalError
from .runs import Run

Status = Literal["waiting", "running", "done", "stopped", "failed", "unfinished"]
LOG = "process.log"
_ROOT = str(Path(__file__).parents[2])
_CODE = f"import sys; sys.path.insert(0, {_ROOT!r}); from palimpsest.workflows.processes import main; sys.exit(main())"
COMMAND = [
    sys.executable,
    "-P",
    "-c",
    _CODE,
]  # -P: a file json.py in the folder that the run was started in is not imported
_children: dict[
    Path, subprocess.Popen[bytes]
] = {}  # that this process started; each is asked how it ended, or it would linger


def begin(question: str, config: Config, plan: Plan | None = None, name: str = "") -> Run:
    """A run that has a folder and waits for a process. ResearchError for a question or documents that cannot be used."""
    asked = research.checked(question, config)
    chosen = config.model_copy(update={"plan": plan.items}) if plan else config
    return Run.create(asked, chosen, model="", name=name)


def spawn(run: Run, own: Config | None = None) -> int:
    """Start a process that goes on with a run; its id. `own` are the settings of whoever asks: the run's hosts must be theirs."""
    record = run.record()
    research.check_hosts(record, own)
    run.forget_stop()
    with (run.folder / LOG).open("wb") as log:
        child = subprocess.Popen(
            [*COMMAND, str(run.folder.resolve())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            cwd=record.started_in if record.started_in.is_dir() else None,
        )  # fmt: skip
    _children[run.folder.resolve()] = child
    return child.pid


def stop(run: Run) -> None:
    """Ask for a report of what is known now; `status` says when it is there."""
    run.ask_to_stop()


def is_alive(run: Run) -> bool:
    """Whether some process writes the run, or one that was started here is about to."""
    child = _children.get(run.folder.resolve())
    return (child is not None and child.poll() is None) or run.is_being_written()


def problem(run: Run) -> str:
    """The sentence with which the run's last process failed; "" when it did not."""
    try:
        lines = (run.folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.removeprefix("research: ") for line in lines if line.startswith("research: ")]
    if said:
        return said[-1]
    broke = any(line.startswith("Traceback ") for line in lines)  # libraries warn there too
    return "the run broke off by a fault of the program; its folder says how far it came" if broke else ""


def status(run: Run) -> Status:
    """Where a run stands; `unfinished` was killed, and can be gone on with, as what was stopped or failed can."""
    if is_alive(run):
        return "running" if run.is_being_written() else "waiting"
    record = run.record()  # after that look: a process that has ended has written its last word
    if record.current.done:
        return "stopped" if record.current.stopped else "done"
    return "failed" if problem(run) else "unfinished"


def main() -> int:
    """Go on with the run named by the only argument; its exit code is that of the command."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    run = Run(Path(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: run.ask_to_stop())
    try:
        *_, last = research.go_on(run)
    except (ResearchError, RetrievalError, OSError) as error:
        print(f"research: {error}", file=sys.stderr, flush=True)
        return error.code if isinstance(error, ResearchError) else FAILED
    return BUDGET if last.data["stopped"] in ("budget", "stopped") else 0
