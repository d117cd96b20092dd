"""How examples are shown: masks, complements, curriculum, and the mistakes in a draft."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import mean

import pytest
import torch

from palimpsest.dlm_core.canvas.canvas import State
from palimpsest.dlm_core.canvas.tokenizer import CONTROL, DELETE, INSERT
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.models.embedded import Batch
from palimpsest.dlm_core.training.corpus import Corpus
from palimpsest.dlm_core.training.corruption import corrupt, fillings_of, random_words
from palimpsest.dlm_core.training.examples import Example, Target
from palimpsest.dlm_core.training.losses import loss, slots_of
from palimpsest.dlm_core.training.masking import Masking, masked, maskings, ratio, realise, stale, without_outline
from palimpsest.dlm_core.training.recipe import Recipe
from palimpsest.dlm_core.training.schedule import ROWS_OF

from ..world import CITE, small_model, tokenizer

ENTITY, NUMBER = SlotSpec(MaskKind.ENTITY, max_length=4), SlotSpec(MaskKind.NUMBER, max_length=4)
TEXT = "Karl Benz built it in 1905 and 1906."
EXAMPLE = Example(
    ("Who?",),
    (TEXT,),
    (ENTITY, " built it in ", NUMBER, " and ", NUMBER, CITE),
    (
        Target(spans=((0, 0, 9),)),
        Target(spans=((0, 22, 26),), now="1903"),
        Target(spans=((0, 31, 35),)),
        Target(spans=((0, -1, -1),)),
    ),
    "statement",
)


def open_slots(masking: Masking) -> set[int]:
    return {n for n, words in enumerate(masking.shown) if words is None}


def test_complementary_views_mask_every_hole_once() -> None:
    rng = random.Random(0)
    for share in (0.1, 0.5, 0.9):
        for _ in range(20):
            pair = maskings(EXAMPLE, share, rng)
            opened = [open_slots(v) & {0, 1, 2} for v in pair]
            assert set.union(*opened) == {0, 1, 2}
            assert sum(map(len, opened)) == 3
            assert all(3 in open_slots(v) for v in pair), "a citation is never shown"


def test_independent_views_leave_holes_out() -> None:
    rng = random.Random(0)
    pairs = [maskings(EXAMPLE, 0.9, rng, complementary=False) for _ in range(50)]
    assert any(set.union(*[open_slots(v) & {0, 1, 2} for v in pair]) != {0, 1, 2} for pair in pairs)


def test_a_single_hole_is_always_a_mask() -> None:
    one = Example(("Who?",), (TEXT,), (ENTITY, CITE), EXAMPLE.targets[:1] + EXAMPLE.targets[3:], "question")
    assert maskings(one, 0.5, random.Random(0)) == [masked(one)]


def test_the_ratio_of_masks_falls() -> None:
    rng = random.Random(0)
    early, middle, late = (mean(ratio(share, rng) for _ in range(2000)) for share in (0.1, 0.5, 0.9))
    assert early > middle > late


def test_words_in_a_slot_are_settled_and_labelled() -> None:
    canvas, targets = realise(Masking(EXAMPLE, ("Karl", "1903", None, None)), tokenizer(), 16)
    first, second, third, _ = targets
    slot = canvas.slots[0]
    assert canvas.state[slot.start : slot.end].tolist() == [State.FILLED] * 4
    karl, benz = (tokenizer().encode(w).ids for w in ("Karl", "Benz"))
    assert canvas.tokens[slot.start : slot.end].tolist() == [*karl, DELETE, DELETE, DELETE]
    assert first.edits[: len(karl) + 1] == (*karl, benz[0])
    assert first.kept[: len(karl) + 1] == (*[True] * len(karl), False)
    assert second.edits[0] == tokenizer().encode("1905").ids[0]
    assert not second.kept[0]
    assert third.edits == ()
    assert canvas.open[canvas.slots[2].start]


def test_right_words_weigh_little_and_keep_their_tokens() -> None:
    canvas, targets = realise(Masking(EXAMPLE, ("Karl Benz", None, None, None)), tokenizer(), 16)
    slot = canvas.slots[0]
    assert targets[0].edits == tuple(canvas.tokens[slot.start : slot.end].tolist())
    assert all(targets[0].kept)
    assert targets[0].weight < targets[1].weight


def test_words_that_are_too_few_for_what_follows_ask_for_an_insertion() -> None:
    """A slot without room: what is missing goes before the word that stays."""
    tight = SlotSpec(MaskKind.TEXT, max_length=2)
    example = Example(("Who?",), ("red green blue",), (tight,), (Target(spans=((0, 0, 14),)),), "x")
    _, (targets,) = realise(Masking(example, ("green blue",)), tokenizer(), 16)
    assert INSERT in targets.edits


def test_a_stale_view_says_what_was_said_before() -> None:
    assert stale(masked(EXAMPLE)).shown == (None, "1903", None, None)


def test_an_outline_is_left_out_with_what_stands_behind_it() -> None:
    outlined = Example(
        EXAMPLE.question,
        EXAMPLE.passages,
        (SlotSpec(MaskKind.OUTLINE), ": ", SlotSpec(MaskKind.ENTITY, after=(0,))),
        EXAMPLE.targets[:2],
        "outline",
    )
    plain = without_outline(outlined)
    assert plain.draft == (SlotSpec(MaskKind.ENTITY),)
    assert plain.targets == outlined.targets[1:]
    assert without_outline(plain) == plain


def test_own_words_are_what_the_model_finds_likeliest() -> None:
    model = small_model()
    (words,) = fillings_of(model, tokenizer(), [masked(EXAMPLE)], Recipe())
    canvas, _ = realise(masked(EXAMPLE), tokenizer(), 16)
    with torch.no_grad():
        hidden = model(Batch.of([canvas]))
        start, end = model.span_scores(hidden[0, canvas.slots[0].start][None], hidden)
    evidence = canvas.segments[1]
    inside = range(evidence.start + 1, evidence.end - 1)
    best = max(
        ((i, j) for i in inside for j in range(i, min(i + 16, evidence.end - 1))),
        key=lambda p: float(start[0, p[0]] + end[0, p[1]]),
    )
    assert words[0] == TEXT[int(canvas.characters[best[0], 0]) : int(canvas.characters[best[1], 1])]
    assert words[3] is None, "a citation is not corrupted"


@pytest.mark.parametrize("own", ["policy", "random"])
def test_corruption_puts_words_into_some_slots_that_copy(own: str) -> None:
    made = corrupt(small_model(), tokenizer(), [masked(EXAMPLE)] * 40, random.Random(0), Recipe(corruption=own))
    filled = [sum(w is not None for w in v.shown) for v in made]
    assert 0 in filled
    assert max(filled) >= 2
    assert all(v.shown[3] is None for v in made)
    assert any(v.shown == (None, "1903", None, None) for v in made), "what the draft said before is among the mistakes"


def test_random_words_are_of_the_passages() -> None:
    words = random_words(masked(EXAMPLE), random.Random(0))
    assert all(w in TEXT for w in words if w is not None)


def test_without_copies_every_word_is_written(folder: Path) -> None:
    corpus, model = Corpus.load(folder), small_model()
    pairs = [realise(masked(corpus.question(random.Random(n))), tokenizer(), 16) for n in range(6)]
    canvases = [c for c, _ in pairs]
    slots = slots_of(canvases, [t for _, t in pairs], ROWS_OF, copy=False)
    with torch.no_grad():
        parts = loss(model, Batch.of(canvases), slots, copy=False)
        assert set(parts) <= {"words", "cite"}
        assert "span" in loss(model, Batch.of(canvases), slots_of(canvases, [t for _, t in pairs], ROWS_OF))


def test_the_edit_loss_is_a_computation_by_hand() -> None:
    model = small_model()
    canvas, targets = realise(Masking(EXAMPLE, ("Karl Benz", "1903", None, None)), tokenizer(), 16)
    with torch.no_grad():
        parts = loss(model, Batch.of([canvas]), slots_of([canvas], [targets], ROWS_OF))
        logits = model.vocabulary(model(Batch.of([canvas]))[0]).log_softmax(-1)
    total, weight = 0.0, 0.0
    for slot, supervision in zip(canvas.slots[:2], targets[:2], strict=True):
        for i, (row, kept) in enumerate(zip(supervision.edits, supervision.kept, strict=True)):
            share = 0.2 if kept else 1.0
            total, weight = total - share * float(logits[slot.start + i, row]), weight + share
    assert float(parts["edit"]) == pytest.approx(total / weight, rel=1e-4)


def test_words_in_brackets_are_words_unless_they_are_a_control_row() -> None:
    """A formula such as [Zn2]2+ is no answer of a CHOICE."""
    slots = (SlotSpec(MaskKind.TEXT), SlotSpec(MaskKind.CHOICE, allowed=("[SUP]", "[REF]")))
    targets = (Target(words="[Zn2]2+"), Target(words="[REF]"))
    example = Example(("What ion?",), ("The ion is [Zn2]2+ here.",), slots, targets, "x")
    rows = {s.slot: s.rows for s in realise(masked(example), tokenizer(), 12)[1]}
    assert rows[0] == tuple(tokenizer().encode("[Zn2]2+").ids)
    assert rows[1] == (CONTROL["[REF]"],)
