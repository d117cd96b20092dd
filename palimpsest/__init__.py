"""Deep research on a diffusion language model: one evolving draft, revised in place.

from palimpsest import Config, research

for event in research("Who designed the Eiffel Tower?", Config(docs=("notes",))):
    print(event.kind, event.text)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palimpsest.agent.draft import Draft, Span, Support
    from palimpsest.agent.state import Event, ResearchState, Tools
    from palimpsest.workflows.config import Config
    from palimpsest.workflows.errors import ResearchError
    from palimpsest.workflows.research import research

__all__ = ["Config", "Draft", "Event", "ResearchError", "ResearchState", "Span", "Support", "Tools", "research"]

_HOME = {
    "Config": "workflows.config",
    "Draft": "agent.draft",
    "Event": "agent.state",
    "ResearchError": "workflows.errors",
    "ResearchState": "agent.state",
    "Span": "agent.draft",
    "Support": "agent.draft",
    "Tools": "agent.state",
    "research": "workflows.research",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'palimpsest' has no attribute {name!r}")
    return getattr(import_module(f"palimpsest.{_HOME[name]}"), name)
