"""One name, one denoiser: the embedded model, a folder of its weights, or a checkpoint of any known family."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from ..canvas.tokenizer import ChatTokenizer
from ..models.checkpoint import family_of, folder_of, load, look
from ..models.diffusion_gemma import is_gemma, load_gemma
from ..models.transformer import Transformer
from . import embedded_weights
from .adapter import check_adapter, is_adapter, with_adapter
from .diffusion_gemma import GemmaDenoiser
from .embedded import Denoiser
from .hosted import HostedDenoiser
from .prompted import PromptedDenoiser


def open_denoiser(name: str | Path = "embedded") -> Denoiser | PromptedDenoiser:
    """ "embedded", a folder (of a model, or of an adapter for one), or a Hugging Face id.

    WeightsError or ModelError says in a sentence what is wrong with it.
    """
    if name == "embedded":
        return embedded_weights.load(embedded_weights.BUNDLED)
    folder = folder_of(name)
    if is_embedded(folder):
        return embedded_weights.load(folder)
    if is_adapter(folder):
        return with_adapter(hosted(*load(check_adapter(folder).base)), folder)
    if is_gemma(folder):
        return GemmaDenoiser(*load_gemma(folder))
    return hosted(*load(folder))


def shared_denoiser(name: str | Path = "embedded") -> Denoiser | PromptedDenoiser:
    """One of the two that were opened last, when it is asked for again and its files are as they were: for whoever only reads it.

    A model loaded for each of many questions is memory that the allocator keeps in pieces: 4.7 GB after 138 of them. Errors as of
    `open_denoiser`.
    """
    return _opened(name, _stamps(Path(name)))


@lru_cache(maxsize=2)  # a hosted one, and the embedded one that guesses ahead for it
def _opened(name: str | Path, stamps: tuple[tuple[str, int, int], ...]) -> Denoiser | PromptedDenoiser:
    return open_denoiser(name)


def _stamps(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of each file, so that weights that were written anew are read anew; none for what is no folder."""
    found = [(p.name, p.stat()) for p in sorted(folder.iterdir())] if folder.is_dir() else []
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def hosted(body: Transformer, tokenizer: ChatTokenizer) -> HostedDenoiser:
    """A loaded checkpoint of the table of families at work on the canvas."""
    facts = body.config
    return HostedDenoiser(body, tokenizer, facts.mask, facts.end, facts.max_positions, facts.expand)


def examine(name: str | Path = "embedded") -> str:
    """What a name stands for and whether its files are whole, without loading them; errors as of `open_denoiser`."""
    folder = embedded_weights.BUNDLED if name == "embedded" else folder_of(name)
    if is_embedded(folder):
        return f"{len(embedded_weights.check(folder)['sha256'])} files match their checksums"  # type: ignore[arg-type]
    if is_adapter(folder):
        facts = check_adapter(folder)
        return f"an adapter of rank {facts.rank} for {examine(facts.base)}"
    family = "DiffusionGemma" if is_gemma(folder) else family_of(folder)
    count, size = look(folder)
    return f"{family}, {count} shard{'s' if count > 1 else ''}, {size / 2**30:.1f} GB"


def is_embedded(folder: Path) -> bool:
    """Whether a folder holds weights of the embedded model: its config.json lists shards by checksum, and no architecture."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return not (folder / "config.json").exists() and any(folder.glob("model-*.safetensors"))
    return isinstance(config, dict) and "architectures" not in config and "model_type" not in config
