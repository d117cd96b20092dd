"""The command `research`: it translates words into calls of workflows and events into lines, and decides nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer

from . import streams
from .commands import checking, indexing, measuring, running, serving, steering
from .saying import reason, say

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Deep research on a diffusion language model: cited reports that are revised in place.\n\n"
    'Start with:  research run "Which open diffusion language model is the fastest?"',
)
COMMANDS: dict[str, Callable[..., None]] = {
    "run": running.run,
    "resume": running.resume,
    "revise": steering.revise,
    "ask": steering.ask,
    "list": running.list_runs,
    "show": running.show,
    "services": running.list_services,
    "diff": steering.diff,
    "replay": steering.replay,
    "verify": checking.verify,
    "export": checking.export,
    "eval": measuring.evaluate,
    "serve": serving.serve,
    "ui": serving.ui,
    "mcp": serving.mcp,
    "doctor": serving.doctor,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
index_app = typer.Typer(no_args_is_help=True, help="The retrieval index on its own.")
INDEX: dict[str, Callable[..., None]] = {
    "add": indexing.index_add,
    "search": indexing.index_search,
    "info": indexing.index_info,
}
for name, command in INDEX.items():
    index_app.command(name)(command)
app.add_typer(index_app, name="index")


@app.callback()
def version(
    shown: Annotated[
        bool, typer.Option("--version", is_eager=True, help="print the version and end", callback=lambda v: _version(v))
    ] = False,
) -> None:
    pass


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"research {installed('palimpsest-research')}")
        raise typer.Exit


def main() -> None:
    """Run the command; every expected failure is one sentence on standard error and an exit code."""
    import os

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    streams.guard()
    with _sentences():
        _stand()
        try:
            app()
        finally:
            sys.stdout.flush()


def _stand() -> None:
    """ResearchError when the working folder is gone: torch ends the process when it cannot find where it stands."""
    from palimpsest.workflows.errors import ResearchError

    try:
        Path.cwd()
    except OSError as error:
        raise ResearchError(f"the working folder cannot be used ({error.strerror}); go to another: cd ~") from error


@contextmanager
def _sentences() -> Iterator[None]:
    from palimpsest.workflows.errors import FAILED, ResearchError, RetrievalError

    try:
        yield
    except ResearchError as error:
        say(f"research: {error}")
        sys.exit(error.code)
    except RetrievalError as error:
        say(f"research: {error}")
        sys.exit(FAILED)
    except streams.OutputError as error:
        if error.is_unread:
            sys.exit(streams.UNREAD)
        say(f"research: standard output cannot be written: {error}")
        sys.exit(FAILED)
    except OSError as error:
        say(f"research: {reason(error)}; mend that and give the same command again")
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
