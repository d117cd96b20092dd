"""A GGUF file becomes a checkpoint that loads here: a small one is written, and its logits are those of what it was written from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from palimpsest.dlm_core.models.checkpoint import load_causal
from palimpsest.dlm_core.models.errors import ModelError
from palimpsest.dlm_core.models.gguf import convert


def test_without_gguf_the_mend_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ModelError, match="pip install gguf"):
        convert(tmp_path / "a.gguf", tmp_path / "out")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + b"\0" * 40)
    with pytest.raises(ModelError, match="cannot be read"):
        convert(tmp_path / "a.gguf", tmp_path / "out")


def test_weights_come_out_as_they_went_in(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    width, inner, words = 32, 64, 260
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(words)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["<|endoftext|>", "<s>", "</s>", "a", "b", "ab", *(f"<{n}>" for n in range(6, words))])
    writer.add_token_scores([0.0] * words)
    writer.add_token_types([1] * words)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    torch.manual_seed(0)
    shapes = {
        "token_embd": (words, width),
        "output_norm": (width,),
        "output": (words, width),
        "blk.0.attn_norm": (width,),
        "blk.0.ffn_norm": (width,),
        **{f"blk.0.attn_{n}": (width, width) for n in ("q", "k", "v", "output")},
        "blk.0.ffn_gate": (inner, width),
        "blk.0.ffn_up": (inner, width),
        "blk.0.ffn_down": (width, inner),
    }
    made = {name: torch.randn(shape) for name, shape in shapes.items()}
    for name, tensor in made.items():
        writer.add_tensor(f"{name}.weight", tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    convert(tmp_path / "a.gguf", tmp_path / "out")
    body, _ = load_causal(tmp_path / "out")
    stored = dict(body.named_parameters())
    torch.testing.assert_close(stored["embedding.weight"].data, made["token_embd"])
    torch.testing.assert_close(stored["blocks.0.feed.down.weight"].data, made["blk.0.ffn_down"])
    torch.testing.assert_close(stored["blocks.0.attention.value.weight"].data, made["blk.0.attn_v"])
