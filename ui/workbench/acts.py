"""What a page can do to a run: each is one call of what the command does, and the work is done in a process of its own."""

from __future__ import annotations

from palimpsest.agent.plans import Plan
from palimpsest.agent.steering import NOTHING, Steering
from palimpsest.workflows import processes
from palimpsest.workflows.amending import NO_EVIDENCE, Evidence, amend
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run

from . import settings


def begin(question: str, config: Config, plan: Plan | None = None, name: str = "") -> Run:
    """Start a run; whatever becomes of this page, it goes on. ResearchError for what cannot be asked or read."""
    run = processes.begin(question, config, plan, name)
    processes.spawn(run, config)  # whoever chose the settings named their hosts
    return run


def go_on(run: Run) -> None:
    """Go on with a run that was stopped, killed, or failed."""
    processes.spawn(run, settings.current().config)


def stop(run: Run) -> None:
    """Ask for a report of what is known by now."""
    processes.stop(run)


def revise(run: Run, steering: Steering = NOTHING, evidence: Evidence = NO_EVIDENCE) -> None:
    """Write the next version: what a person asks of it, and what they bring. ResearchError for what cannot be done."""
    amend(run, steering, evidence, settings.current().config)
    processes.spawn(run, settings.current().config)
