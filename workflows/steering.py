"""Everything by which a person steers a run, as functions: each writes the next version of its report and yields what happens.

A page that may be closed at any time calls `amend` and lets a process of its own go on (`processes.spawn`); a command iterates.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from palimpsest.agent.plans import Plan
from palimpsest.agent.questions import subquestions
from palimpsest.agent.steering import NOTHING, Edit, Steering

from . import corpus, research
from .amending import NO_EVIDENCE, Evidence, amend
from .config import Config
from .research import Events, revise
from .runs import Run

__all__ = [
    "NOTHING", "NO_EVIDENCE", "Edit", "Evidence", "Steering", "add_evidence", "amend", "ask", "ban", "edit", "pin", "plan", "reopen",
    "revise", "unpin",
]  # fmt: skip


def reopen(run: Run, *ids: str, **how: Any) -> Events:
    """Have spans, or all places of blocks, denoised again; `how` is `own`, `approve` and `watch` of `revise`, here and below."""
    return revise(run, steering=Steering(reopen=ids), **how)


def pin(run: Run, *ids: str, **how: Any) -> Events:
    """Keep spans or blocks as they are, whatever comes."""
    return revise(run, steering=Steering(pin=ids), **how)


def unpin(run: Run, *ids: str, **how: Any) -> Events:
    """Let pinned spans or blocks change again."""
    return revise(run, steering=Steering(unpin=ids), **how)


def edit(run: Run, span: str, words: str, **how: Any) -> Events:
    """Put a person's words in the place of a span or of a whole block; they are pinned, and marked as theirs."""
    return revise(run, steering=Steering(edits=(Edit(span=span, words=words),)), **how)


def ban(run: Run, source: str, **how: Any) -> Events:
    """Let a source, by id, number in the report or address, count no more."""
    return revise(run, steering=Steering(ban=(source,)), **how)


def add_evidence(
    run: Run, *, files: Sequence[Path] = (), texts: Sequence[str] = (), urls: Sequence[str] = (), **how: Any
) -> Events:
    """Hold the report against files, notes or pages that a person brings."""
    return revise(run, Evidence(files=tuple(files), texts=tuple(texts), urls=tuple(urls)), **how)


def ask(run: Run, question: str, **how: Any) -> Events:
    """Answer a question that follows on the report: from the run's evidence first."""
    return revise(run, steering=Steering(question=question), **how)


def plan(question: str, config: Config) -> Plan:
    """What would be found out, for a person to change; ResearchError as `research` raises."""
    asked = research.checked(question, config)
    with closing(corpus.Corpus(config, question=asked)) as held:
        reader = corpus.tools(config, held).reader
        return Plan.of(reader.plan(asked) if reader else subquestions(asked))
