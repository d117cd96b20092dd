"""What an installation needs, looked at one by one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from palimpsest.retrieval.types import RetrievalError

from .config import Config
from .corpus import LIBRARY, default_folder, open_writer
from .errors import ResearchError

NEEDED = 1.5 * 2**30  # bytes; the default run takes 0.9 GB

Finding = tuple[str, bool, str]


def examine(config: Config) -> list[Finding]:
    """(name, whether it is fine, what was found or how to mend it)."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("memory", _memory),
        ("torch", _torch),
        ("model weights", lambda: _weights(config)),
        ("retrieval embedder", _embedder),
        ("bundled library", _library),
        ("runs folder", lambda: _writable(config.out, "RESEARCH_OUT")),
        ("index folder", lambda: _writable(config.index or default_folder(), "RESEARCH_INDEX")),
    ]
    return [_look(name, check) for name, check in checks]


def _look(name: str, check: Callable[[], str]) -> Finding:
    try:
        return name, True, check()
    except (ImportError, OSError, ResearchError, RetrievalError, ValueError) as error:
        return name, False, str(error)


def _python() -> str:
    return sys.version.split()[0]


def _memory() -> str:
    """The machine's memory, or what a container leaves of it."""
    if not hasattr(os, "sysconf"):
        return "not told by this system; a run needs about 0.9 GB"
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (allowed := limit.read_text().strip()).isdigit():
        total = min(total, int(allowed))
    if total < NEEDED:
        raise ResearchError(
            f"{total / 2**30:.1f} GB; a run needs about 0.9 GB: close other programs, or raise the limit"
        )
    return f"{total / 2**30:.1f} GB"


def _torch() -> str:
    import torch

    where = f"CUDA {torch.version.cuda}" if torch.cuda.is_available() else "CPU"
    return f"{torch.__version__}, {where}, {torch.get_num_threads()} threads"


def _weights(config: Config) -> str:
    from palimpsest.dlm_core.denoisers.embedded_weights import WeightsError
    from palimpsest.dlm_core.denoisers.open import examine as examined
    from palimpsest.dlm_core.models.errors import ModelError

    if config.model.startswith(("http://", "https://")):
        return f"{open_writer(config).name}, served by {config.model}"
    try:
        return examined(config.model)
    except (ModelError, WeightsError) as error:
        raise ResearchError(str(error)) from error


def _embedder() -> str:
    from palimpsest.retrieval.embed import MiniLMEmbedder

    embedder = MiniLMEmbedder()
    embedder.embed(["a test"])
    return embedder.id


def _library() -> str:
    count = len(list(LIBRARY.glob("*.md")))
    if not count:
        raise ResearchError("the bundled library is missing; reinstall palimpsest-research")
    return f"{count} documents"


def _writable(folder: Path, setting: str) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return f"{folder} can be written"
    except OSError as error:
        raise ResearchError(
            f"{folder} cannot be written ({error.strerror}); set {setting} to another folder"
        ) from error
