"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = '"embedded", a folder of weights, a Hugging Face id, or the http(s) address of a "research serve"'


Reference = Annotated[str, typer.Argument(help='a run: its id, the start of one, its path, or "last"')]


ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="file of settings [default: research.toml, if there is one]"),
]


Out = Annotated[Path | None, typer.Option("--out", help="folder of runs [default: runs]")]


Docs = Annotated[
    list[Path] | None,
    typer.Option("--docs", help="file or folder to search; repeat for more [default: the bundled library]"),
]


ModelHost = Annotated[
    str | None, typer.Option("--model", help="the host that the run asks, if it asks one and you trust it")
]


WriterHost = Annotated[
    str | None, typer.Option("--writer", help="the chat endpoint that the run asks, if it asks one and you trust it")
]


AsJson = Annotated[bool, typer.Option("--json", help="one event per line on standard output")]


RowsAsJson = Annotated[bool, typer.Option("--json", help="one JSON object per line")]


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress, only the report")]
