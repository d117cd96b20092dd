"""DiffusionGemma through transformers' own class: a causal encoder whose keys and values a bidirectional decoder of one canvas reads.

Its noise is uniform: there is no mask token, an open place holds any word at all, drawn anew at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..canvas.tokenizer import ChatTokenizer, Template
from .checkpoint import open_tokenizer, read_json
from .errors import ModelError

ARCHITECTURE = "DiffusionGemmaForBlockDiffusion"
TEMPLATE = Template("<bos><start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>")

State = tuple[Tensor, Tensor]  # keys and values of one layer, [1, heads, length, width] each


@dataclass(frozen=True)
class Prefix:
    """Encoded tokens and the encoder's state of them, layer by layer; `encoded` of them were computed by the call that made this.

    Layers with a sliding window keep the state of every token and not of one window, so that a prefix can be cut anywhere.
    """

    tokens: tuple[int, ...]
    states: tuple[State, ...]
    encoded: int

    def shared(self, tokens: Sequence[int]) -> Prefix:
        """The part that `tokens` begin with too. Going on from it encodes from the first token that differs."""
        pairs = zip(self.tokens, tokens, strict=False)
        length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return Prefix(self.tokens[:length], tuple((k[:, :, :length], v[:, :, :length]) for k, v in self.states), 0)


class DiffusionGemma:
    """Encoder and decoder with plain tensors at the border. `length` is of the longest draft, `positions` of prefix and draft."""

    def __init__(self, model: Any):
        self.model = model.eval()
        self.config = model.config
        self.length: int = model.config.canvas_length
        text = model.config.text_config
        self.positions: int = text.max_position_embeddings
        self.vocabulary, self.pad, self.end = text.vocab_size, _first(text.pad_token_id), _first(text.eos_token_id)
        # The decoder sees what a sliding layer of transformers' cache would still hold: one token less than its window.
        self.reach = [text.sliding_window - 1 if kind == "sliding_attention" else None for kind in text.layer_types]

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    @torch.no_grad()
    def prefix(self, tokens: Sequence[int], old: Prefix | None = None) -> Prefix:
        """Encode `tokens`, at least one. When they go on from `old`, only what is new is encoded: the encoder is causal, so that is
        exact. `old` stays as it was."""
        wanted = tuple(tokens)
        assert wanted, "the decoder needs a prefix of at least one token"
        if old is None or wanted[: len(old.tokens)] != old.tokens:
            old = Prefix((), (), 0)
        fresh = wanted[len(old.tokens) :]
        return Prefix(wanted, self._encode(fresh, old) if fresh else old.states, len(fresh))

    def _encode(self, fresh: tuple[int, ...], old: Prefix) -> tuple[State, ...]:
        from transformers import DynamicCache

        # A cache that knows no config drops nothing at the window's edge; the encoder's mask keeps to the window all the same.
        cache: Any = DynamicCache()
        for layer, (keys, values) in enumerate(old.states if old.tokens else ()):
            cache.update(keys, values, layer)
        self.model.model.encoder(
            input_ids=torch.tensor([fresh], device=self.device),
            past_key_values=cache,
            position_ids=self._places(len(old.tokens), len(fresh)),
        )
        return tuple((layer.keys, layer.values) for layer in cache.layers)

    @torch.no_grad()
    def logits(self, canvas: Tensor, prefix: Prefix, conditioning: Tensor | None = None) -> Tensor:
        """Softcapped logits [..., T, V] of the canvas's tokens [T] or [B, T] beside the prefix.

        `conditioning` [..., T, V] are the logits of the step before, divided by its temperature, where there was one: the decoder
        takes their expected embedding for a hint. ValueError for a canvas that is longer than the model's.
        """
        length = canvas.shape[-1]
        if length > self.length:
            raise ValueError(f"{length} tokens are more than this model's canvas of {self.length}; shorten the draft")
        rows = canvas.to(self.device).reshape(-1, length)
        output = self.model(
            past_key_values=self._seen(prefix, len(rows)),
            decoder_input_ids=rows,
            decoder_position_ids=self._places(len(prefix.tokens), length),
            self_conditioning_logits=None if conditioning is None else self._hint(conditioning, rows),
        )
        return output.logits.reshape(*canvas.shape, -1)

    def _seen(self, prefix: Prefix, batch: int) -> Any:
        """The prefix as the decoder may read it, the same for every canvas of the batch. Nothing is copied."""
        from transformers.cache_utils import Cache, DynamicLayer

        layers: list[Any] = []
        for reach, state in zip(self.reach, prefix.states, strict=True):
            layer = DynamicLayer()
            layer.lazy_initialization(*state)
            layer.keys, layer.values = (s[:, :, -reach if reach else 0 :].expand(batch, -1, -1, -1) for s in state)
            layers.append(layer)
        return Cache(layers=layers)

    def _hint(self, conditioning: Tensor, rows: Tensor) -> Tensor:
        return conditioning.to(self.device, self.model.dtype).reshape(*rows.shape, -1)

    def _places(self, start: int, length: int) -> Tensor:
        return torch.arange(start, start + length, device=self.device)[None]


@dataclass(frozen=True)
class Sampling:
    """The temperature of DiffusionGemma's own sampler, as transformers sets it: over `steps` it falls from `hot` towards `cold`."""

    steps: int = 48
    hot: float = 0.8
    cold: float = 0.4

    def temperature(self, step: int) -> float:
        return self.cold + (self.hot - self.cold) * (self.steps - step) / self.steps


NATIVE = Sampling()


def _first(ids: int | list[int] | None) -> int:
    return ids[0] if isinstance(ids, list) else int(ids or 0)


def is_gemma(folder: Path) -> bool:
    path = folder / "config.json"
    return path.exists() and ARCHITECTURE in (read_json(path).get("architectures") or [])


def load_gemma(
    folder: Path, dtype: torch.dtype | None = None, device: str | torch.device | None = None
) -> tuple[DiffusionGemma, ChatTokenizer]:
    """The model in `folder` by transformers' own class, never by code from the folder. ModelError names what is missing."""
    from transformers import DiffusionGemmaForBlockDiffusion

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    chosen = dtype or (torch.bfloat16 if where.type == "cuda" else torch.float32)
    try:
        opened: Any = DiffusionGemmaForBlockDiffusion.from_pretrained(
            folder, dtype=chosen, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{folder} cannot be read as DiffusionGemma ({str(error).splitlines()[0]}); fetch it again"
        ) from error
    model, info = opened
    if info["missing_keys"]:
        raise ModelError(
            f"{folder.name} lacks the weights of {sorted(info['missing_keys'])[0]}; fetch the whole checkpoint"
        )
    return DiffusionGemma(model.to(where)), open_tokenizer(folder, TEMPLATE)
