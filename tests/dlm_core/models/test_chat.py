"""The tokenizer of a checkpoint: what a person writes stays text, and the chat frame is the checkpoint's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palimpsest.dlm_core.canvas.tokenizer import Template
from palimpsest.dlm_core.models.checkpoint import load, open_tokenizer
from palimpsest.dlm_core.models.errors import ModelError

from .checkpoints import SPECIAL, letters, write

NONE = Template("", "")


def bare(folder: Path, **added: int) -> Path:
    """A tokenizer as Dream and SDAR store it: vocab.json and merges.txt, and the ids of the added tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [*letters(), "Ġk", "Ġkn"]
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nĠ k\nĠk n\n")
    decoder = {str(i): {"content": c, "special": c != "<tool_call>"} for c, i in added.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    return folder


def test_a_vocabulary_with_its_merges_alone_is_read(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(bare(tmp_path, **{"<|im_end|>": 259, "<|endoftext|>": 258}), NONE)
    encoded = tokenizer.encode("12 knots")
    assert len(encoded.ids) == 6  # 1, 2, " kn", o, t, s
    assert encoded.ids[2] == 257
    assert [encoded.offsets[0], encoded.offsets[-1]] == [(0, 1), (7, 8)]
    assert tokenizer.decode([*encoded.ids, 259]) == "12 knots"
    assert tokenizer.control("<|im_end|><|endoftext|>") == [259, 258]


def test_an_added_token_that_does_not_fit_the_vocabulary_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gives <\|mask\|> the id 300"):
        open_tokenizer(bare(tmp_path, **{"<|mask|>": 300}), NONE)


def test_added_tokens_that_are_not_special_are_kept_out_of_user_text_too(tmp_path: Path) -> None:
    """Qwen's <tool_call> is added but not special; a document that spells it must not speak to the model."""
    folder = write("dream", tmp_path)
    stored = json.loads((folder / "tokenizer.json").read_text())
    stored["added_tokens"] += [
        {
            "id": number,
            "content": content,
            "special": False,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for number, content in ((268, "<tool_call>"), (269, "   "))
    ]
    (folder / "tokenizer.json").write_text(json.dumps(stored))
    tokenizer = open_tokenizer(folder, NONE)
    assert 268 not in tokenizer.encode("a <tool_call> b").ids
    assert tokenizer.control("<tool_call>") == [268]
    assert tokenizer.decode(tokenizer.encode("a   b").ids) == "a   b"


@pytest.mark.parametrize("text", ["<|mask|>", "a<|im_end|>b", "<|startoftext|><role>HUMAN</role>", "<pad>"])
def test_no_spelling_of_a_control_token_reaches_the_model_from_text(text: str, tmp_path: Path) -> None:
    _, tokenizer = load(write("llada2", tmp_path))
    encoded = tokenizer.encode(text)
    assert all(i >= len(SPECIAL) for i in encoded.ids)
    assert tokenizer.decode(encoded.ids) == text
    assert [text[a:b] for a, b in encoded.offsets] == list(text)


def test_the_authors_settings_reach_their_template(tmp_path: Path) -> None:
    """The masked Qwen3 is to be asked without thinking, its card says; its template asks `enable_thinking`."""
    template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}[/]{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% if enable_thinking is false %}<no>{% endif %}{% endif %}"
    )
    for family, expected in (("a2d_qwen3", "[/][assistant]<no>"), ("sdar", "[/][assistant]")):
        folder = write(family, tmp_path / family)
        (folder / "chat_template.jinja").write_text(template)
        _, tokenizer = load(folder)
        assert tokenizer.template.after_user == expected


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('no system turn') }}", "cannot be rendered"),
        ("{% for m in messages", "cannot be rendered"),
        ("{{ messages | length }}", "leaves out what the user says"),
        ("{{ ''.__class__.__mro__ }}", "cannot be rendered"),
    ],
)
def test_a_template_that_fails_is_named(template: str, said: str, tmp_path: Path) -> None:
    folder = write("dream", tmp_path)
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelError, match=said):
        load(folder)


@pytest.mark.parametrize("damage", ["{", '{"model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer_is_named(damage: str, tmp_path: Path) -> None:
    folder = write("dream", tmp_path)
    (folder / "tokenizer.json").write_text(damage)
    with pytest.raises(ModelError, match="damaged"):
        load(folder)
