"""The server of the workbench: Streamlit behind a guard, bound to this machine unless a token keeps strangers out."""

from __future__ import annotations

import re
import webbrowser
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Thread, Timer
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from palimpsest.workflows.config import Config, serve_token
from palimpsest.workflows.errors import USAGE, ResearchError

from . import look, settings, uploads, warming
from .guard import Guard, is_loopback

SCRIPT = Path(__file__).with_name("app.py")
PAGES = ("research", "runs", "library", "model", "run")
ICON = "./favicon.png"
STATIC = Path(st.__file__).with_name("static")
SCRIPTS = "static/js"
FIRST = ("Html", "BidiComponent", "TextInput", "ButtonGroup", "Slider", "Checkbox", "NumberInput", "Button")
IMPORTED = re.compile(r"""(?:from|import)\s*["']\./([\w.-]+\.js)["']""")


def serve(config: Config, host: str, port: int, *, browser: bool, say: Callable[[str], None]) -> None:
    """Serve until interrupted. ResearchError for a host that strangers reach, without a token."""
    token = serve_token()
    local = is_loopback(host)
    if not (local or token):
        raise ResearchError(
            f"{host} can be reached by others; set RESEARCH_SERVE_TOKEN, which every page then asks for", USAGE
        )
    settings.hold(settings.Settings(config, Path.cwd(), local))
    routes = [Route(path, _index) for path in ("/", *(f"/{name}" for name in PAGES))]
    app = st.App(SCRIPT, routes=routes, middleware=[Middleware(Guard, token=token, host=host)], on_script_error=_calm)
    address = f"http://{'127.0.0.1' if local else host}:{port}"
    if browser:
        Timer(1.5, webbrowser.open, (address,)).start()
    Thread(target=warming.warm, args=(config,), daemon=True).start()
    say(f"research: the workbench is at {address} (Ctrl-C ends it; runs go on)")
    app.run(config=options(host, port))


@cache
def index() -> str:
    """Streamlit's page with our name and sign, which knows where its server is: else it asks under each page's own path, in vain."""
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    here = "<script>window.__streamlit = { BACKEND_BASE_URL: window.location.origin + '/' };</script>"
    links = "".join(
        f'<link rel="modulepreload" crossorigin href="./{SCRIPTS}/{name}">' for name in scripts() if name not in page
    )
    return page.replace("<title>Streamlit</title>", f"<title>Palimpsest</title>{here}{links}").replace(
        ICON, look.icon_address()
    )


def scripts() -> list[str]:
    """Scripts of what stands on the first page, and those that they import: a browser fetches them with the page, and not only when
    the server has said what stands there."""
    found: dict[str, None] = {}
    waiting = [path.name for part in FIRST for path in (STATIC / SCRIPTS).glob(f"{part}.*.js")]
    while waiting:
        name = waiting.pop()
        if name not in found and (path := STATIC / SCRIPTS / name).is_file():
            found[name] = None
            waiting += IMPORTED.findall(path.read_text(encoding="utf-8"))
    return list(found)


async def _index(request: Request) -> Response:
    return HTMLResponse(index(), headers={"Cache-Control": "no-cache"})


def options(host: str, port: int) -> dict[str, Any]:
    """What Streamlit is told: nothing leaves the machine, nothing is watched, no menu for developers."""
    return {
        **look.theme(),
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": uploads.MOST_MEGABYTES,
        "server.enableXsrfProtection": True,
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "logger.level": "warning",
        "logger.hideWelcomeMessage": True,
        # What is drawn again twice a second outruns the book that Streamlit keeps of what a page holds already, which ends the page.
        "global.minCachedMessageSize": 2.0**40,
    }


def _calm(error: Exception) -> bool:
    """What a fault of ours looks like: a sentence; what it was stands on standard error."""
    import traceback

    traceback.print_exception(error)
    st.html(
        '<p class="pp-problem" role="alert">This page met a fault of the program. No run is touched by it: reload the page.</p>'
    )
    return True
