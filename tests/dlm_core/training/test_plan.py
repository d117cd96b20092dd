"""Drawers, plans and gathered folders, on rows made by hand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from palimpsest.dlm_core.kinds import IRRELEVANT, NOT_ENOUGH, REFUTES, RELEVANT, SUPPORTS
from palimpsest.dlm_core.models.embedded import Batch
from palimpsest.dlm_core.training import judgement, plan, questions, reading, relevance, run_plan
from palimpsest.dlm_core.training.gather import SOURCES, Count, gathered, held_out, without_held_paragraphs
from palimpsest.dlm_core.training.losses import slots_of
from palimpsest.dlm_core.training.material import Material
from palimpsest.dlm_core.training.plan import DRAWERS, PLAN, Plan, laid_batches, packed, unpacked

from ..world import tokenizer


def drawn(drawer: object, material: Material, count: int = 60) -> list[judgement.Example]:
    rng = random.Random(0)
    examples = [drawer(material, rng) for _ in range(count)]  # type: ignore[operator]
    return [e for e in examples if e]


def test_the_phases_of_the_plan_follow_each_other() -> None:
    plan = Plan.read(PLAN)
    assert [p.until for p in plan.phases] == sorted(p.until for p in plan.phases)
    for phase in plan.phases:
        assert min(phase.mix.values()) > 0


def test_an_unknown_drawer_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(PLAN.read_text().replace("twin =", "twins ="))
    with pytest.raises(ValueError, match="drawers that are not there: twins"):
        Plan.read(tmp_path / "p.toml")


def test_siblings_keep_the_claim_and_lose_the_decisive_words(material: Material) -> None:
    examples = drawn(judgement.siblings, material, 400)
    labels = {e.targets[0].words for e in examples}
    assert labels == {SUPPORTS, REFUTES, NOT_ENOUGH}
    whole = {e.question for e in examples if e.targets[0].words == SUPPORTS}
    assert whole & {e.question for e in examples if e.targets[0].words == NOT_ENOUGH}


def test_a_claim_said_with_a_not_is_judged_the_other_way_round(material: Material) -> None:
    for example in drawn(judgement.denied, material, 100):
        claim, shown = str(example.question[0]), " ".join(example.passages)
        if "Lovelace was not English" in claim and "not" not in shown:
            assert example.targets[0].words == REFUTES
        if "Lovelace was not Dutch" in claim and "not" not in shown:
            assert example.targets[0].words == SUPPORTS


@pytest.mark.parametrize(
    ("said", "label"),
    [("more than", SUPPORTS), ("fewer than", SUPPORTS), ("more than", REFUTES), ("fewer than", REFUTES)],
)
def test_a_figure_is_over_or_under_the_one_in_the_evidence(said: str, label: str) -> None:
    rng = random.Random(1)
    wordings = [judgement._figure_said(1250, label, rng) for _ in range(200)]
    figures = [int(t.split()[-1].replace(",", "")) for t in wordings if t.startswith(said)]
    assert figures
    assert all(((f < 1250) == (said == "more than")) == (label == SUPPORTS) for f in figures)


def test_the_sentence_with_the_answer_is_relevant_and_others_are_not(material: Material) -> None:
    for example in drawn(relevance.from_answers, material):
        for sentence, target in zip(example.draft[::2], example.targets, strict=True):
            answer = (
                "London" if example.source == "qed_train" else "1843" if example.source == "span_qa" else "Ada Love"
            )
            assert target.words == (RELEVANT if answer in str(sentence) else IRRELEVANT)


def test_without_a_paragraph_of_its_own_a_question_has_no_answer(material: Material) -> None:
    examples = drawn(questions.hops, material, 200)
    silent = [e for e in examples if e.targets[0].words == "[NONE]"]
    assert silent
    assert len(silent) < len(examples)
    assert all(not ("by Ada" in t and "born in London" in t) for e in silent for t in [" ".join(e.passages)])


def test_the_bridge_and_the_inner_part_are_copied(material: Material) -> None:
    bridges = [e for e in drawn(questions.bridge, material, 100) if e.targets[0].spans]
    assert {e.words(0) for e in bridges} == {"Ada Lovelace"}
    inner = {e.words(0) for e in drawn(questions.steps, material, 100)}
    assert {"mother of Ada", "A"} <= inner


def test_a_long_draft_says_what_was_true_before(material: Material) -> None:
    examples = drawn(questions.long_draft, material, 200)
    assert any(t.now for e in examples for t in e.targets)
    assert all(t.now not in e.passages[t.spans[0][0]] for e in examples for t in e.targets if t.now)


@pytest.mark.parametrize("name", ["kind", "scope", "steps", "bridge", "hops", "from_hops", "cell", "column"])
def test_a_row_that_lacks_a_field_stops_no_drawer(name: str, material: Material) -> None:
    assert drawn(DRAWERS[name], material, 200)


def test_a_drawing_process_that_died_ends_the_training(material: Material, tmp_path: Path) -> None:
    run = run_plan.Run(tmp_path, tmp_path, 1.0, tmp_path, "cpu", workers=1)  # there is no tokenizer in this folder
    feed = run_plan.Feed(run, Plan.read(PLAN), material, run_plan.Share.new(), torch.device("cpu"))
    feed.processes[0].join(timeout=60)
    with pytest.raises(RuntimeError, match="1 of 1 drawing processes died"):
        next(iter(feed))
    feed.close()


def test_a_draw_that_fails_is_counted_and_another_takes_its_place(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(m: Material, rng: random.Random) -> judgement.Example:
        return judgement.Example(**m.rows["squad_train"][0]["missing"])

    monkeypatch.setitem(DRAWERS, "fever", broken)
    plan.FAILED.clear()
    phase = plan.Phase("mixed", 1.0, {"fever": 0.5, "twin": 0.5})
    assert {phase.draw(material, random.Random(n)).source for n in range(8)} == {"unanswerable_pairs"}
    assert sum(plan.FAILED.values()) > 0
    assert list(plan.FAILED) == ["fever: KeyError('missing')"]
    plan.FAILED.clear()


def test_a_phase_of_which_nothing_can_be_drawn_ends(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(m: Material, rng: random.Random) -> judgement.Example:
        return judgement.Example(**m.rows["squad_train"][0]["missing"])

    monkeypatch.setitem(DRAWERS, "fever", broken)
    with pytest.raises(RuntimeError, match="draws of the phase mixed failed"):
        plan.Phase("mixed", 1.0, {"fever": 1.0}).draw(material, random.Random(0))
    plan.FAILED.clear()


def test_words_that_the_evidence_repeats_are_copied_from_it(material: Material) -> None:
    examples = drawn(reading.phrase, material, 200)
    assert examples
    for example in examples:
        assert all(example.passages[p][s:e] == example.words(0) for p, s, e in example.targets[0].spans)
        assert example.words(0) not in example.question


def test_among_many_passages_the_answer_is_copied_or_there_is_none(material: Material) -> None:
    material.rows["squad_train"].append({"title": "B", "question": "What?", "context": "Bees hum.", "answers": ["hum"]})
    examples = drawn(reading.among, material, 100)
    material.rows["squad_train"].pop()
    assert {bool(e.targets[0].spans) for e in examples} == {True, False}
    for example in examples:
        assert bool(example.targets[0].spans) == any(example.words(0) in p for p in example.passages)


def test_a_paper_is_told_from_the_one_named_most_like_it(material: Material) -> None:
    examples = drawn(relevance.from_titles, material, 200)
    pages = [e for e in examples if e.source == "wikipedia_pages"]
    assert {t.words for e in pages for t in e.targets} == {RELEVANT, IRRELEVANT}


def test_what_is_held_out_can_be_gathered_apart() -> None:
    rows = [{"claim": f"claim {n}", "evidence": f"evidence {n} of the claim", "label": "x"} for n in range(300)]
    seen, apart = (
        {r["evidence"] for r in gathered(rows, SOURCES["fever_pairs"], lambda text: False, Count(), is_apart)}
        for is_apart in (False, True)
    )
    assert seen | apart == {r["evidence"] for r in rows}
    assert not seen & apart
    assert apart


def test_batches_survive_the_queue(material: Material) -> None:
    plan = Plan.read(PLAN)
    batch, slots = next(iter(laid_batches(plan, material, tokenizer(), 0.9, "seed", (2000, 12), 24)))
    again, unpacked_slots = unpacked(packed(batch), packed(slots), torch.device("cpu"))
    assert batch.tokens.shape[1] % 16 == 0
    for name in ("tokens", "positions", "block"):
        assert torch.equal(getattr(batch, name), getattr(again, name))
    assert torch.equal(slots.gold, unpacked_slots.gold)
    assert torch.equal(slots.words.target, unpacked_slots.words.target)
    assert isinstance(again, Batch)
    assert slots_of([], []).supervised == 0


def test_what_stands_in_an_evaluation_file_and_what_is_held_out_is_not_gathered() -> None:
    rows = [
        {"claim": f"claim number {n} of many", "evidence": f"evidence {n} of the claim", "label": "x"}
        for n in range(300)
    ]
    count = Count()
    kept = list(gathered(rows, SOURCES["fever_pairs"], lambda text: text == "claim number 7 of many", count))
    assert "claim number 7 of many" not in {r["claim"] for r in kept}
    assert not any(held_out(r["evidence"]) for r in kept)
    assert count.clashing + count.held_out + len(kept) == 300
    assert count.held_out > 0


def test_a_held_paragraph_goes_and_takes_the_row_with_it_where_it_is_needed() -> None:
    pages = [{"title": t, "sentences": [f"{t} is a sentence of some length."], "gold": t == "a"} for t in "abc"]
    row = {"question": "a question of some length", "paragraphs": pages}
    rest = without_held_paragraphs(row, lambda text: text.startswith("b "))
    assert rest is not None
    assert [p["title"] for p in rest["paragraphs"]] == ["a", "c"]
    assert without_held_paragraphs(row, lambda text: text.startswith("a ")) is None
