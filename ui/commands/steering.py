"""A finished report in a person's hands: revise it, and see what changed."""

from __future__ import annotations

import shlex
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import streams
from ..options import AsJson, ConfigFile, ModelHost, Out, Quiet, Reference, RowsAsJson, WriterHost
from ..progress import follow
from ..saying import announce, configured, find, may_leave, print_json

if TYPE_CHECKING:
    from palimpsest.agent.steering import Edit, Steering
    from palimpsest.workflows.amending import Evidence
    from palimpsest.workflows.changes import Change
    from palimpsest.workflows.config import Config
    from palimpsest.workflows.runs import Run


def revise(
    reference: Reference,
    evidence: Annotated[
        list[str] | None, typer.Option("--evidence", help="a new document: a file or an address; repeat for more")
    ] = None,
    note: Annotated[list[str] | None, typer.Option("--note", help="evidence in your own words")] = None,
    reopen: Annotated[
        list[str] | None,
        typer.Option("--reopen", help="a span or block to be denoised again (see: research show RUN --spans)"),
    ] = None,
    pin: Annotated[list[str] | None, typer.Option("--pin", help="a span or block that must never change")] = None,
    unpin: Annotated[
        list[str] | None, typer.Option("--unpin", help="a pinned span or block that may change again")
    ] = None,
    edit: Annotated[
        list[str] | None,
        typer.Option("--edit", metavar="SPAN=WORDS", help="your own words in its place, pinned and marked"),
    ] = None,
    ban: Annotated[
        list[str] | None, typer.Option("--ban", help="a source that counts no more: its number, id or address")
    ] = None,
    model: ModelHost = None,
    writer: WriterHost = None,
    out: Out = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Steer a finished report: new evidence, words reopened, pinned or written by you, sources banned; all else stays.

    research revise last --evidence correction.md --ban 3

    research revise last --edit "c2.1=about 300 metres" --pin q1.answer
    """
    from palimpsest.workflows.steering import Evidence, Steering

    given = evidence or []
    brought = Evidence(
        files=tuple(Path(e) for e in given if not _is_address(e)),
        urls=tuple(e for e in given if _is_address(e)),
        texts=tuple(note or ()),
    )
    wish = Steering(
        reopen=tuple(reopen or ()), pin=tuple(pin or ()), unpin=tuple(unpin or ()), ban=tuple(ban or ()),
        edits=tuple(map(_edit, edit or ())),
    )  # fmt: skip
    found = find(reference, out, config)
    _write(found, wish, brought, configured(config, model=model, writer=writer, out=out), as_json, quiet)


def ask(
    reference: Reference,
    question: Annotated[str, typer.Argument(help="the question that follows, in quotes")],
    model: ModelHost = None,
    writer: WriterHost = None,
    out: Out = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ask on: answered from what the run holds first, in a new version of its report; "it" is what the run spoke of.

    research ask last "And who paid for it?"
    """
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.steering import NO_EVIDENCE, Steering

    words = streams.typed(question)
    if not words.strip():
        raise ResearchError('the question is empty; ask one: research ask last "And who paid for it?"', USAGE)
    found = find(reference, out, config)
    _write(
        found,
        Steering(question=words),
        NO_EVIDENCE,
        configured(config, model=model, writer=writer, out=out),
        as_json,
        quiet,
    )


def _write(found: Run, wish: Steering, brought: Evidence, own: Config, as_json: bool, quiet: bool) -> None:
    """Write the next version, and show what it changed."""
    from palimpsest.workflows.research import revise as revised

    announce(found)
    mend = f"research resume {shlex.quote(str(found.folder))}"
    follow(
        lambda watch: revised(found, brought, steering=wish, own=own, approve=may_leave, watch=watch),
        as_json, quiet, mend, [found],
    )  # fmt: skip
    if not (as_json or quiet):
        print_changes(found, None, None)


def _is_address(evidence: str) -> bool:
    return evidence.startswith(("http://", "https://"))


def _edit(words: str) -> Edit:
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.steering import Edit

    span, mark, text = streams.typed(words).partition("=")
    if not mark:
        raise ResearchError(f"{words!r} has no =; write --edit SPAN=WORDS", USAGE)
    return Edit(span=span.strip(), words=text)


def diff(
    reference: Reference,
    first: Annotated[int | None, typer.Argument(help="version before")] = None,
    last: Annotated[int | None, typer.Argument(help="version after")] = None,
    out: Out = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> None:
    """What changed, old to new, with the reason and the evidence, and how many bytes provably did not.

    research diff last 1 2
    """
    print_changes(find(reference, out, config), first, last, as_json)


def replay(
    reference: Reference,
    version: Annotated[int | None, typer.Option(help="only this version [default: all]")] = None,
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help="in a terminal: times as fast as it was")] = 1.0,
    out: Out = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> None:
    """Play a run again, step by step: what was searched, masks turning into words, what was reopened and why.

    research replay last --speed 4
    """
    from ..replaying import play

    play(find(reference, out, config), version, speed, as_json)


def print_changes(found: Run, first: int | None, last: int | None, as_json: bool = False) -> None:
    from palimpsest.workflows.changes import diff as changes
    from palimpsest.workflows.changes import untouched

    rows = changes(found, first, last)
    for change in rows:
        if as_json:
            print_json(change.model_dump_json())
        else:
            print(_change(change))
    if as_json:
        return
    if not rows:
        print("nothing was reopened")
    if (last or len(found.record().versions)) > 1 and first != 0:
        same = untouched(found, first, last)
        print(f"{same.kept:,} bytes stand as they stood, {same.opened:,} were opened, {same.added:,} are new")


def _change(change: Change) -> str:
    revision = change.revision
    lines = [
        f"{change.kind} {change.block}, {revision.span}  (version {revision.version}, {revision.reason})".lstrip(),
        f"  {_inline(revision.old, revision.new)}",
    ]
    if change.passage:
        lines.append(
            f"  {change.passage.source.title} ({change.passage.source.date or 'undated'}): “{change.sentence}”"
        )
    return "\n".join(lines)


def _inline(old: str, new: str) -> str:
    """Old and new in one line, words that went in [-...-], words that came in {+...+}."""
    a, b = (words.split(" ") if words else [] for words in (old, new))
    pieces = []
    for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(" ".join(a[i:j]))
            continue
        pieces += [f"[-{' '.join(a[i:j])}-]"] if j > i else []
        pieces += [f"{{+{' '.join(b[k:m])}+}}"] if m > k else []
    return " ".join(pieces)
