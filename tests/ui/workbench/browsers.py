"""A real browser and a real workbench: `research ui` in a folder of its own, with the embedded model and four documents."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "retrieval" / "library"
DOCUMENTS = ("fastest-open-model-2025.md", "fastest-open-model-2026.md", "diffusiongemma.md", "llada-moe.md")
QUESTION = "Which open diffusion language model is the fastest, and how many tokens per second does it reach?"
SETTLED = """() => !document.querySelector('[data-stale="true"]') &&
  document.querySelector('[data-testid="stApp"]').dataset.testScriptState !== "running" """
PATIENCE = 300_000  # milliseconds: the machine may be busy with other tests


def chromium() -> str | None:
    """The path of a Chromium of this machine; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def lay_documents(folder: Path) -> Path:
    """A few documents of the bundled library in a folder, two of which disagree."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in DOCUMENTS:
        shutil.copy(LIBRARY / name, folder)
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def workbench(folder: Path, *flags: str) -> Iterator[str]:
    """`research ui` on a free port, its address; ended with the block."""
    port = free_port()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RESEARCH_")}
    surroundings = {**clean, "PYTHONPATH": str(ROOT), "RESEARCH_INDEX": str(folder / "index")}
    command = [sys.executable, "-m", "palimpsest.ui.cli", "ui", "--no-browser", "--port", str(port), *flags]
    with (folder / "ui.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=log, stderr=log)
    try:
        _wait(port, server, folder / "ui.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"research ui did not start: {log.read_text(errors='replace')[-2000:]}")


class Visit:
    """A page in a browser that remembers what went wrong, and whom it asked."""

    def __init__(self, page: Any):
        self.page = page
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: self.errors.append(str(e)))
        page.on("request", lambda r: self.hosts.add(r.url.split("/")[2]) if "://" in r.url else None)

    def serious(self) -> list[str]:
        """What axe finds that keeps somebody from using the page."""
        from axe_playwright_python.sync_playwright import Axe

        self.page.wait_for_function(SETTLED)  # what is about to be replaced is shown pale for a moment
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        return [
            f"{v['id']}: {n['target']} {n['html'][:160]} {n['failureSummary'][:300]}"
            for v in found
            if v["impact"] in ("serious", "critical")
            for n in v["nodes"]
        ]
