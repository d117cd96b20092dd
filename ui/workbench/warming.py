"""What would else be waited for is done in the background: the first page first, and all that it needs not when it is there."""

from __future__ import annotations

from importlib import import_module
from threading import Event

from palimpsest.workflows.config import Config

PATIENCE = 5.0  # seconds that the first page is waited for, before the work for later pages begins without it

_first = Event()


def first_page_is_there() -> None:
    """A page was drawn: from now on the processor may be used for those behind it."""
    _first.set()


def warm(config: Config) -> None:
    """Import the first page, then, when it is there, what the pages behind it need, and open the model here."""
    import_module("palimpsest.ui.workbench.ask")
    _first.wait(PATIENCE)
    for name in ("run", "runs", "library", "model"):
        import_module(f"palimpsest.ui.workbench.{name}")
    if config.model == "embedded":
        corpus = import_module("palimpsest.workflows.corpus")
        corpus.open_embedder().embed(["palimpsest"])
        corpus.open_writer(config)
