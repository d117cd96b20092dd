"""What stays open for others: a model, the workbench, tools of a protocol; and whether all is in order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import MODEL_HELP, ConfigFile, Docs, Out
from ..saying import configured, say


def serve(
    model: Annotated[
        str | None, typer.Option("--model", help="embedded, a folder of weights, or a Hugging Face id")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8321,
    active: Annotated[int, typer.Option("--max-active", min=1, help="canvases that share a step")] = 16,
    waiting: Annotated[int, typer.Option("--max-waiting", min=0, help="more requests that may wait")] = 64,
    hosts: Annotated[
        list[str] | None, typer.Option("--allow-host", help="a name that a reverse proxy on this machine asks for")
    ] = None,
    docs: Docs = None,
    web: Annotated[str | None, typer.Option(help="services that runs of others may ask [default: none]")] = None,
    out: Out = None,
    config: ConfigFile = None,
) -> None:
    """Hold a model and serve it over HTTP: revise canvases, stream their frames, chat, runs, health, metrics.

    Runs of others read what --docs names, ask at most what --web names, and lie in --out.

    research serve --port 8321, and elsewhere: research run "..." --model http://127.0.0.1:8321
    """
    from palimpsest.workflows.config import serve_token
    from palimpsest.workflows.corpus import open_model
    from palimpsest.workflows.serving import server

    token = serve_token()
    server.check_exposure(host, token)
    with server.listen(host, port) as listener:
        settings = configured(config, model=model, docs=tuple(docs) if docs else None, web=web, out=out)
        writer = open_model(settings)
        say(f"serving {writer.name} on {server.address_of(listener)}")
        application = server.application(
            writer, active=active, waiting=waiting, token=token, hosts=hosts or (), config=settings
        )
        server.serve(application, listener)


def ui(
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8501,
    host: Annotated[
        str, typer.Option("--host", help="address to listen on; another than this machine's wants a token")
    ] = "127.0.0.1",
    docs: Docs = None,
    runs: Annotated[Path | None, typer.Option("--runs", help="folder of runs [default: runs]")] = None,
    model: Annotated[str | None, typer.Option(help=MODEL_HELP)] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open the page")] = True,
    config: ConfigFile = None,
) -> None:
    """Open the research workbench: ask, watch masks turn into words, judge, steer, and take the report home.

    research ui --docs notes/
    """
    from palimpsest.workflows.documents import check_docs

    from ..workbench import serving

    settings = configured(config, docs=tuple(docs) if docs else None, out=runs, model=model)
    check_docs(settings.docs)
    serving.serve(settings, host, port, browser=browser, say=say)


def mcp(
    docs: Docs = None,
    web: Annotated[str | None, typer.Option(help="services that clients may ask [default: none]")] = None,
    out: Out = None,
    config: ConfigFile = None,
) -> None:
    """Serve research, ask, search and verify as tools of the Model Context Protocol, over standard input and output.

    research mcp --docs notes/ --web wikipedia,openalex
    """
    from palimpsest.workflows.errors import USAGE, ResearchError

    try:
        from palimpsest.workflows.mcp import server
    except ModuleNotFoundError as error:
        raise ResearchError(
            "research mcp needs one more library: pip install 'palimpsest-research[mcp]'", USAGE
        ) from error
    settings = configured(config, docs=tuple(docs) if docs else None, web=web, out=out)
    server(settings).run("stdio")


def doctor(config: ConfigFile = None) -> None:
    """Check the installation, line by line, with the mend; exit 1 when something is broken.

    research doctor
    """
    from palimpsest.workflows.doctor import examine

    results = examine(configured(config))
    for name, fine, text in results:
        print(f"{'ok ' if fine else 'BAD'} {name}: {text}")
    if not all(fine for _, fine, _ in results):
        raise SystemExit(1)
