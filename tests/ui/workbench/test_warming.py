"""What is done in the background waits for the first page, and not for ever."""

from __future__ import annotations

from threading import Event, Thread
from types import SimpleNamespace

import pytest

from palimpsest.ui.workbench import warming
from palimpsest.workflows.config import Config


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the modules that were imported, in their order; none is."""
    names: list[str] = []
    monkeypatch.setattr(warming, "_first", Event())
    monkeypatch.setattr(warming, "import_module", lambda name: names.append(name.rpartition(".")[2]))
    return names


def test_pages_behind_the_first_wait_until_it_is_there(imported: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "PATIENCE", 60.0)
    reached = Event()
    monkeypatch.setattr(warming, "_first", _Watched(reached))
    work = Thread(target=warming.warm, args=(Config(model="elsewhere"),), daemon=True)
    work.start()
    assert reached.wait(30)
    assert imported == ["ask"]
    warming.first_page_is_there()
    work.join(30)
    assert imported == ["ask", "run", "runs", "library", "model"]


def test_without_a_page_the_model_is_opened_all_the_same(imported: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    corpus = SimpleNamespace(
        open_embedder=lambda: SimpleNamespace(embed=opened.extend),
        open_writer=lambda config: opened.append(config.model),
    )
    monkeypatch.setattr(warming, "PATIENCE", 0.01)
    monkeypatch.setattr(warming, "import_module", lambda name: corpus)
    warming.warm(Config())
    assert opened == ["palimpsest", "embedded"]


class _Watched(Event):
    """An event that says when it is waited for."""

    def __init__(self, reached: Event):
        super().__init__()
        self.reached = reached

    def wait(self, timeout: float | None = None) -> bool:
        self.reached.set()
        return super().wait(timeout)
