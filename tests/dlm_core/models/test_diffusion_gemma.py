"""The adapter of DiffusionGemma beside transformers' own class, tiny and random, with a window far shorter than the prompt."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from palimpsest.dlm_core.models.diffusion_gemma import (
    DiffusionGemma,
    Prefix,
    Sampling,
    denoise_uniform,
    load_gemma,
    within_bound,
)
from palimpsest.dlm_core.models.errors import ModelError

from .checkpoints import write_tokenizer

WINDOW, LENGTH, WORDS = 8, 16, 300
PROMPT = list(range(5, 45))
CANVAS = torch.arange(100, 100 + LENGTH)
EVERYWHERE = torch.ones(LENGTH, dtype=torch.bool)


@pytest.fixture(scope="module")
def native() -> Any:
    from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

    sliding, full = "sliding_attention", "full_attention"
    text = {
        "vocab_size": WORDS,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "layer_types": [sliding, full, sliding, full],
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_global_key_value_heads": 1,
        "head_dim": 8,
        "global_head_dim": 16,
        "sliding_window": WINDOW,
        "num_experts": 4,
        "top_k_experts": 2,
        "moe_intermediate_size": 16,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
    }
    torch.manual_seed(0)
    model = DiffusionGemmaForBlockDiffusion(
        DiffusionGemmaConfig(text_config=text, vision_config=vision, canvas_length=LENGTH)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.1)
    return model.eval()


@pytest.fixture(scope="module")
def gemma(native: Any) -> DiffusionGemma:
    return DiffusionGemma(native)


@pytest.fixture(scope="module")
def settled(native: Any) -> DiffusionGemma:
    """A model that repeats what it reads, which is how a denoised canvas looks to a trained one."""
    model = copy.deepcopy(native)
    kept = model.lm_head.weight
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter is not kept:
                parameter.zero_()
        model.model.decoder.norm.weight.fill_(1.0)
    return DiffusionGemma(model)


@pytest.fixture(scope="module")
def folder(native: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("gemma")
    native.save_pretrained(made, max_shard_size="40KB")
    write_tokenizer(made / "tokenizer.json")
    return made


def close(told: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(told, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1, WINDOW - 2, WINDOW - 1, WINDOW, WINDOW + 1, len(PROMPT)])
def test_logits_equal_the_native_forward_on_both_sides_of_the_window(
    native: Any, gemma: DiffusionGemma, length: int
) -> None:
    prompt = torch.tensor(PROMPT[:length])
    prefix = gemma.prefix(PROMPT[:length])
    first = gemma.logits(CANVAS, prefix)
    with torch.no_grad():
        close(first, native(input_ids=prompt[None], decoder_input_ids=CANVAS[None]).logits[0])
        hinted = native(input_ids=prompt[None], decoder_input_ids=CANVAS[None], self_conditioning_logits=first[None])
    close(gemma.logits(CANVAS, prefix, first), hinted.logits[0])
    assert not torch.allclose(hinted.logits[0], first, atol=1e-3)
    assert float(first.abs().max()) < native.config.text_config.final_logit_softcapping


def test_canvases_side_by_side_read_one_prefix(gemma: DiffusionGemma) -> None:
    prefix, canvases = gemma.prefix(PROMPT), torch.stack([CANVAS, CANVAS.flip(0), CANVAS + 40])
    alone = torch.stack([gemma.logits(canvas, prefix) for canvas in canvases])
    close(gemma.logits(canvases, prefix), alone)
    hinted = torch.stack([gemma.logits(c, prefix, a) for c, a in zip(canvases, alone, strict=True)])
    close(gemma.logits(canvases, prefix, alone), hinted)


def test_a_canvas_that_is_too_long_is_refused(gemma: DiffusionGemma) -> None:
    with pytest.raises(ValueError, match="17 tokens are more than this model's canvas of 16"):
        gemma.logits(torch.arange(LENGTH + 1), gemma.prefix(PROMPT))


@pytest.mark.parametrize("cut", [1, WINDOW - 1, WINDOW, 20, len(PROMPT) - 1])
def test_a_prefix_in_parts_is_the_prefix_from_scratch(gemma: DiffusionGemma, cut: int) -> None:
    part = gemma.prefix(PROMPT[:cut])
    before = gemma.logits(CANVAS, part)
    grown = gemma.prefix(PROMPT, part)
    assert (grown.tokens, grown.encoded) == (tuple(PROMPT), len(PROMPT) - cut)
    close(gemma.logits(CANVAS, grown), gemma.logits(CANVAS, gemma.prefix(PROMPT)))
    assert torch.equal(gemma.logits(CANVAS, part), before)
    assert gemma.prefix(PROMPT, grown).encoded == 0


@pytest.mark.parametrize("cut", [0, 3, WINDOW, 20, len(PROMPT) - 1])
def test_another_prefix_is_encoded_from_the_first_token_that_differs(gemma: DiffusionGemma, cut: int) -> None:
    """The window has long left the cut behind: what it held then is still known."""
    other = [*PROMPT[:cut], 7, *PROMPT[cut + 1 :], 9]
    whole = gemma.prefix(PROMPT)
    told = gemma.prefix(other, whole.shared(other))
    assert told.encoded == len(other) - cut
    close(gemma.logits(CANVAS, told), gemma.logits(CANVAS, gemma.prefix(other)))


def test_a_shorter_prefix_is_a_cut(gemma: DiffusionGemma) -> None:
    told = gemma.prefix(PROMPT[:20], gemma.prefix(PROMPT).shared(PROMPT[:20]))
    assert told.encoded == 0
    close(gemma.logits(CANVAS, told), gemma.logits(CANVAS, gemma.prefix(PROMPT[:20])))


def test_a_prefix_that_does_not_go_on_starts_anew(gemma: DiffusionGemma) -> None:
    other = [7, *PROMPT[1:]]
    told = gemma.prefix(other, gemma.prefix(PROMPT))
    assert told.encoded == len(other)
    assert torch.equal(gemma.logits(CANVAS, told), gemma.logits(CANVAS, gemma.prefix(other)))


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`")  # torch warns of its own import in `generate`
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(7, 4.0), Sampling(9, 1e3, hot=0.1, cold=0.05)])
@pytest.mark.parametrize("seed", [0, 1])
def test_with_nothing_pinned_it_writes_what_the_native_sampler_writes(
    gemma: DiffusionGemma, settled: DiffusionGemma, sampling: Sampling, seed: int
) -> None:
    """The same random numbers, drawn in the same order: every draft of `generate` is the same, and so is the step it stops at."""
    for model in (gemma, settled):
        drafts = list(denoise_uniform(model, model.prefix(PROMPT), CANVAS, EVERYWHERE, sampling, seed))
        assert [d.words.tolist() for d in drafts] == native_drafts(model.model, sampling, seed)


def native_drafts(native: Any, sampling: Sampling, seed: int) -> list[list[int]]:
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

    watched = Watch()
    torch.manual_seed(seed)
    native.generate(
        torch.tensor([PROMPT]),
        streamer=watched,
        max_new_tokens=LENGTH,
        max_denoising_steps=sampling.steps,
        sampler_config=EntropyBoundSamplerConfig(sampling.entropy_bound),
        t_max=sampling.hot,
        t_min=sampling.cold,
        confidence_threshold=sampling.calm,
    )
    return watched.drafts


class Watch:
    """A streamer that keeps the drafts."""

    def __init__(self) -> None:
        self.drafts: list[list[int]] = []

    def put(self, value: Tensor) -> None:
        pass

    def put_draft(self, value: Tensor) -> None:
        self.drafts.append(value[0].tolist())

    def end(self) -> None:
        pass


def test_it_stops_once_the_words_stand_still_and_not_before(gemma: DiffusionGemma, settled: DiffusionGemma) -> None:
    def drafts(model: DiffusionGemma, sampling: Sampling) -> int:
        return len(list(denoise_uniform(model, model.prefix(PROMPT), CANVAS, EVERYWHERE, sampling, 0)))

    sharp = Sampling(9, 1e3, hot=0.1, cold=0.05)
    assert drafts(settled, sharp) == 2  # the first has nothing to be compared with
    assert drafts(settled, replace(sharp, calm=0.0)) == 9  # still, and not calm
    assert drafts(gemma, replace(sharp, calm=1e3)) == 9  # calm, and not still


class Undecided(DiffusionGemma):
    """Certain of word 3 everywhere but in the first place, where words 3 and 5 are as likely: ln 2 nats."""

    vocabulary, device = WORDS, torch.device("cpu")

    def __init__(self) -> None:
        pass

    def logits(self, canvas: Tensor, prefix: Prefix, conditioning: Tensor | None = None) -> Tensor:
        told = torch.full((*canvas.shape, WORDS), -100.0)
        told[:, 3] = told[0, 5] = 100.0
        return told


def test_only_open_places_have_to_be_calm() -> None:
    """Mean entropies by eye: 0.69 nats over the one open place, 0.09 over all eight. The draft begins with the likeliest words,
    which is not yet standing still."""
    tokens, where = torch.full((8,), 3), torch.arange(8) == 0

    def drafts(calm: float) -> int:
        return len(list(denoise_uniform(Undecided(), Prefix((), (), 0), tokens, where, Sampling(5, calm=calm))))

    assert (drafts(0.3), drafts(0.7)) == (5, 2)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=LENGTH),
    st.integers(1, 6),
    st.sampled_from([0.1, 3.0, 1e3]),
    st.integers(0, 99),
)
def test_pinned_places_never_move(
    gemma: DiffusionGemma, opened: list[bool], steps: int, bound: float, seed: int
) -> None:
    where = torch.tensor(opened)
    tokens = CANVAS[: len(opened)]
    drafts = list(denoise_uniform(gemma, gemma.prefix(PROMPT[:4]), tokens, where, Sampling(steps, bound), seed))
    assert len(drafts) <= steps
    assert bool(drafts) == bool(where.any())
    for draft in drafts:
        assert torch.equal(draft.canvas[~where], tokens[~where])
        assert torch.equal(draft.words[~where], tokens[~where])
        assert not draft.accepted[~where].any()
        assert draft.accepted.any()
    again = list(denoise_uniform(gemma, gemma.prefix(PROMPT[:4]), tokens, where, Sampling(steps, bound), seed))
    assert [d.words.tolist() for d in again] == [d.words.tolist() for d in drafts]


def test_what_is_not_accepted_is_noised_anew_and_what_is_accepted_stays(gemma: DiffusionGemma) -> None:
    """A bound that takes some places and leaves others; with 300 words, two noises of the same word in 15 places are not chance."""
    one, two = list(denoise_uniform(gemma, gemma.prefix(PROMPT), CANVAS, EVERYWHERE, Sampling(2, 1e-6), 0))
    assert int(one.accepted.sum()) == 1
    changed = one.canvas != two.canvas
    assert changed[~one.accepted].float().mean() > 0.9
    held = list(denoise_uniform(gemma, gemma.prefix(PROMPT), CANVAS, EVERYWHERE, Sampling(2, 1e3), 0))
    assert held[0].accepted.all()


def test_a_token_of_the_text_is_never_taken_for_a_mask(gemma: DiffusionGemma) -> None:
    """Pad, bos, eos and any other id may stand in a pinned place: only the array of open places says what is open."""
    tokens = torch.tensor([0, 1, 2, 4, 4, 4])
    where = torch.tensor([False, False, False, False, True, False])
    for draft in denoise_uniform(gemma, gemma.prefix(PROMPT), tokens, where, Sampling(4), 1):
        assert draft.words[~where].tolist() == [0, 1, 2, 4, 4]


def test_noise_is_uniform_over_the_words(gemma: DiffusionGemma) -> None:
    generator = torch.Generator().manual_seed(0)
    length = 100 * WORDS
    where = torch.ones(length, dtype=torch.bool)
    where[::2] = False
    told = gemma.noised(torch.full((length,), 7), where, generator)
    assert (told[::2] == 7).all()
    counts = torch.bincount(told[1::2], minlength=WORDS)  # 50 expected each, with a deviation of about 7
    assert len(counts) == WORDS
    assert (int(counts.min()), int(counts.max())) > (15, 0)
    assert int(counts.max()) < 90


def test_the_bound_sums_all_but_the_greatest_entropy() -> None:
    """By eye: 0.1 | 0.1 + 0.2 | 0.1 + 0.2 + 0.3 | …: at a bound of 0.3 the sums without their greatest are 0, 0.1, 0.3 and 0.6."""
    entropy = torch.tensor([0.4, 0.1, 0.3, 0.2, 0.0])
    where = torch.tensor([True, True, True, True, False])
    assert within_bound(entropy, where, 0.31).tolist() == [False, True, True, True, False]
    assert within_bound(entropy, where, 0.29).tolist() == [False, True, False, True, False]
    assert within_bound(entropy, where, 0.0).tolist() == [False, True, False, False, False]


def test_the_temperature_falls_as_the_native_one() -> None:
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import LinearTemperatureScheduleLogitsProcessor

    scale = LinearTemperatureScheduleLogitsProcessor(0.4, 0.8, 48)
    for step in (0, 1, 24, 47):
        native = scale(torch.zeros(1, 1), torch.ones(1), 48 - step)
        assert Sampling().temperature(step) == pytest.approx(1 / float(native), rel=1e-6)
    assert Sampling().temperature(0) == 0.8


def test_what_is_saved_is_loaded(folder: Path, gemma: DiffusionGemma) -> None:
    assert len(list(folder.glob("*.safetensors"))) > 2
    loaded, tokenizer = load_gemma(folder, torch.float32, "cpu")
    told = loaded.logits(CANVAS, loaded.prefix(PROMPT))
    assert torch.equal(told, gemma.logits(CANVAS, gemma.prefix(PROMPT)))
    assert (loaded.length, loaded.vocabulary) == (LENGTH, WORDS)
    assert tokenizer is not None


def test_half_precision_stays_near(folder: Path, gemma: DiffusionGemma) -> None:
    loaded, _ = load_gemma(folder, torch.bfloat16, "cpu")
    prefix = loaded.prefix(PROMPT)
    first = loaded.logits(CANVAS, prefix)
    assert first.dtype == torch.float32
    wanted = gemma.logits(CANVAS, gemma.prefix(PROMPT))
    assert torch.corrcoef(torch.stack([first.flatten(), wanted.flatten()]))[0, 1] > 0.98
    assert loaded.logits(CANVAS, prefix, first).isfinite().all()


def test_a_missing_shard_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    shards = sorted(folder.glob("*.safetensors"))
    copied(folder, tmp_path, without=shards[1].name)
    with pytest.raises(ModelError, match=shards[1].name) as told:
        load_gemma(tmp_path)
    assert "\n" not in str(told.value)


def test_a_missing_weight_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    copied(folder, tmp_path)
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    lost = next(key for key in index["weight_map"] if key.endswith("self_conditioning.pre_norm.weight"))
    shard = index["weight_map"].pop(lost)
    path.write_text(json.dumps(index))
    drop(tmp_path / shard, lost)
    with pytest.raises(ModelError, match=r"lacks the weights of .*self_conditioning.pre_norm.weight"):
        load_gemma(tmp_path)


def copied(folder: Path, target: Path, without: str = "") -> None:
    for path in folder.iterdir():
        if path.name != without:
            (target / path.name).write_bytes(path.read_bytes())


def drop(shard: Path, key: str) -> None:
    from safetensors.torch import load_file, save_file

    held = load_file(shard)
    del held[key]
    save_file(held, shard, metadata={"format": "pt"})
