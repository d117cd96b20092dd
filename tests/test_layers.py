"""The table of who may import whom (design: one floor above the other, each heavy library through one door)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "kernels": set(),
    "retrieval": set(),
    "dlm_core": {"kernels"},
    "agent": {"dlm_core", "retrieval"},
    "workflows": {"agent", "dlm_core", "retrieval"},
    "ui": {"workflows", "agent"},
}
DOORS = {
    "triton": ("kernels/triton/",),
    "huggingface_hub": ("dlm_core/models/",),
    "faiss": ("retrieval/vectors.py",),
    "tantivy": ("retrieval/lexical.py",),
    "pypdfium2": ("retrieval/loaders/pdf.py",),
    "liteparse": ("retrieval/loaders/pdf.py",),
    "mammoth": ("retrieval/loaders/docx.py",),
    "clevercsv": ("retrieval/loaders/sheets.py",),
    "python_calamine": ("retrieval/loaders/sheets.py",),
    "pptx": ("retrieval/loaders/slides.py",),
    "charset_normalizer": ("retrieval/loaders/encoding.py",),
    "ftfy": ("retrieval/loaders/encoding.py",),
    "py3langid": ("retrieval/loaders/language.py",),
    "dateparser": ("retrieval/", "agent/dates.py"),
    "pylatexenc": ("retrieval/loaders/latex.py",),
    "bibtexparser": ("retrieval/loaders/latex.py",),
    "safetensors": (
        "dlm_core/models/",
        "dlm_core/denoisers/embedded_weights.py",
        "dlm_core/training/minilm.py",
        "retrieval/embed.py",
    ),
    "peft": ("dlm_core/models/lora.py",),
    "transformers": ("dlm_core/models/", "dlm_core/canvas/tokenizer.py"),
    "tokenizers": (
        "dlm_core/canvas/tokenizer.py",
        "dlm_core/models/",
        "dlm_core/training/minilm.py",
        "retrieval/embed.py",
    ),
    "torch": ("dlm_core/", "kernels/", "retrieval/embed.py", "agent/writer.py", "workflows/doctor.py"),
    "langgraph": ("workflows/graph.py",),
    "streamlit": ("ui/workbench/",),
    "typer": ("ui/cli.py",),
    "rich": ("ui/cli.py", "dlm_core/training/train_embedded.py", "dlm_core/training/finetune_hosted.py"),
    "httpx": ("retrieval/http/", "workflows/serving/remote_writer.py"),
    "httpcore": ("retrieval/http/",),
    "hishel": ("retrieval/http/",),
    "protego": ("retrieval/http/",),
    "stamina": ("retrieval/http/",),
    "socket": ("retrieval/http/network.py", "workflows/serving/server.py"),
    "requests": (),
    "urllib3": (),
    "aiohttp": (),
    "httpx2": (),
    "fastapi": ("workflows/serving/",),
    "uvicorn": ("workflows/serving/",),
    "prometheus_client": ("workflows/serving/metrics.py",),
    "pydantic": ("retrieval/", "agent/", "workflows/"),
    "mcp": ("workflows/mcp.py",),
    "citeproc": ("retrieval/references.py",),
    "rapidfuzz": ("retrieval/",),
}
FILES = sorted(p.relative_to(ROOT).as_posix() for room in ALLOWED for p in (ROOT / room).rglob("*.py"))


def imports(path: str) -> list[str]:
    """The absolute names that a file imports, wherever in it; relative ones stay inside their room."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES)
def test_a_file_imports_only_what_its_floor_may(path: str) -> None:
    room = path.split("/")[0]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "palimpsest" and len(parts) > 1 and parts[1] in ALLOWED:
            assert parts[1] == room or parts[1] in ALLOWED[room], f"{path} imports {name}"
        assert parts[0] not in ALLOWED, f"{path} imports {name}; across folders say palimpsest.{name}"
        doors = DOORS.get(parts[0])
        assert doors is None or path.startswith(doors), f"{path} imports {name}, which comes in through {doors}"


def test_nothing_else_opens_connections() -> None:
    """The address guard is worth nothing if there is a way around it."""
    ways = ("urllib.request", "http.client", "ftplib", "smtplib", "xmlrpc", "socketserver", "http.server")
    for path in FILES:
        assert not any(name == way or name.startswith(f"{way}.") for name in imports(path) for way in ways), path


def test_the_agent_knows_the_model_only_in_its_writer() -> None:
    for path in (f for f in FILES if f.startswith("agent/") and f != "agent/writer.py"):
        for name in imports(path):
            assert not name.startswith("palimpsest.dlm_core") or name.startswith("palimpsest.dlm_core.kinds"), path
            assert not name.startswith("palimpsest.retrieval") or name.startswith("palimpsest.retrieval.types"), path


@pytest.mark.parametrize("room", ALLOWED)
def test_room_doors_are_empty(room: str) -> None:
    """Nothing runs at import; an `__init__` that imports would make circles with transformers' own probing."""
    assert imports(f"{room}/__init__.py") == []


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_plain_loop_needs_no_torch() -> None:
    heavy = "[m for m in ('torch', 'faiss', 'langgraph') if m in sys.modules]"
    code = f"import sys, palimpsest.agent.loop, palimpsest.agent.state; print({heavy})"
    assert python(code).strip() == "[]"


def test_a_transformers_model_imports_from_the_repository_root() -> None:
    """A top-level folder `kernels` beside transformers broke every model import (see the README's architecture)."""
    assert "ok" in python("from transformers import BertModel; print('ok')")


def test_public_names_are_there() -> None:
    import palimpsest

    assert all(getattr(palimpsest, name) for name in palimpsest.__all__)
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = palimpsest.nothing_like_this
