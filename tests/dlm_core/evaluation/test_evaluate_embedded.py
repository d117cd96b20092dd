"""Scores by eye, and every test of the command on two rows of each file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.evaluation.correction import untouched, written
from palimpsest.dlm_core.evaluation.evaluate_embedded import TESTS, main, step_times
from palimpsest.dlm_core.evaluation.verdicts import claim_only, shared_words, silent_pairs
from palimpsest.dlm_core.metrics import auroc, calibration, difference, exact, f1, normalise, risk, sari, sure_from


def test_squad_scores() -> None:
    assert normalise("The  Eiffel Tower!") == "eiffel tower"
    assert exact("the tower", ["Tower", "x"]) == 1.0
    assert f1("red tower", ["the blue tower"]) == pytest.approx(0.5)
    assert f1("", [""]) == 1.0
    assert f1("word", [""]) == 0.0


def test_auroc_counts_ties_half() -> None:
    assert auroc([0.9, 0.8, 0.1], [1, 1, 0]) == 1.0
    assert auroc([0.5, 0.5], [1, 0]) == 0.5
    assert auroc([0.1, 0.9], [1, 0]) == 0.0


def test_calibration_error_is_the_gap_between_belief_and_truth() -> None:
    assert calibration([0.9] * 10, [1.0] * 9 + [0.0])["ece"] == pytest.approx(0.0, abs=1e-9)
    assert calibration([0.9] * 10, [0.0] * 10)["ece"] == pytest.approx(0.9)


def test_difference_of_two_claims() -> None:
    assert difference("a red fox ran", "a blue wolf ran") == ("a ", "red fox", " ran", "blue wolf")
    assert difference("It began.", "It ended.") == ("It ", "began.", "", "ended.")


def test_a_silent_pair_is_never_the_claims_own_group() -> None:
    rows = [
        {"id": f"{n}{tail}", "claim": f"claim {n}", "evidence": f"evidence {n}{tail}"}
        for n in range(9, 60)
        for tail in ("", "0000003")
    ]
    for (claim, evidence), row in zip(silent_pairs(rows, 0), rows, strict=True):
        assert claim == row["claim"]
        assert evidence.split()[1].removesuffix("0000003") != row["claim"].split()[1]


def test_the_claim_only_baseline_finds_a_leak() -> None:
    """On claims that give their label away it is perfect: so where it stays at half, there is no leak to find."""
    train = [{"claim": f"never {n}", "label": "not_entailment"} for n in range(20)] + [
        {"claim": f"is {n}", "label": "entailment"} for n in range(20)
    ]
    rows = [{"claim": "never x", "label": "REFUTES"}, {"claim": "is x", "label": "SUPPORTS"}]
    assert claim_only(train, rows) == 100.0


def test_the_shared_words_baseline_calls_true_what_repeats_its_evidence() -> None:
    """Fitted where three of four words are enough and two are not; a denial that repeats every word is called true."""
    train = [
        {"claim": "oak boats float well", "evidence": "oak boats float", "label": "entailment"},
        {"claim": "oak boats float well", "evidence": "oak boats", "label": "not_entailment"},
    ] * 3
    rows = [
        {"claim": "oak boats float well", "evidence": "all oak boats float well", "label": "SUPPORTS"},
        {"claim": "oak boats float well", "evidence": "no oak boats float well", "label": "REFUTES"},
        {"claim": "oak boats float well", "evidence": "bread rises", "label": "REFUTES"},
        {"claim": "oak boats float well", "evidence": "oak boats", "label": "REFUTES"},
    ]
    assert shared_words(train, rows) == 75.0


def test_auroc_ends_on_scores_that_are_no_numbers() -> None:
    assert 0 <= auroc([float("nan"), 0.5, 0.2], [1, 1, 0]) <= 1


def test_sari_by_eye() -> None:
    """One word of three changed: everything kept, added and deleted is right; unchanged, only what is kept is, and with it too much."""
    assert sari("a red fox", "a blue fox", "a blue fox") == pytest.approx(100)
    # keep: unigrams 2/3 precise, recall 1; bigrams and longer keep what must go. delete: all of the source's own is kept: nothing
    # deleted is perfect. add: nothing added, though wanted.
    keep = [0.8, 0, 0, 1]
    delete = [1, 1, 1, 1]
    add = [0, 0, 0, 1]
    assert sari("a red fox", "a red fox", "a blue fox") == pytest.approx(100 * sum(keep + delete + add) / 12)


def rows_of(data: Path) -> Path:
    """A folder with two rows of every evaluation file."""
    evidence = "The barge Marisa of Orta reached 12 knots in 1901."
    squad = {"question": "How fast?", "context": evidence, "answers": ["12 knots"], "id": "1", "title": "Orta"}
    stance = {"id": "7", "claim": "Marisa reached 12 knots.", "evidence": evidence, "label": "SUPPORTS"}
    rival = {
        "id": "8",
        "claim": "Pietro built boats.",
        "evidence": "Pietro Canale built a boat of oak.",
        "label": "REFUTES",
    }
    sentences = [{"id": "s0", "text": evidence}, {"id": "s1", "text": rival["evidence"]}]
    claim = {
        "claim": stance["claim"],
        "label": "supports",
        "gold_sentence_ids": ["s0"],
        "retrieved_sentence_ids": ["s0", "s1"],
    }
    judged = [
        {"sentence_id": "s0", "label": "supports", "entropy": 0},
        {"sentence_id": "s1", "label": "nothing", "entropy": 1},
    ]
    hop = {"question": "How fast?", "answer": "12 knots", "gold_titles": ["Marisa"], "gold_complete": True}
    files: dict[str, list[dict[str, Any]]] = {
        "squad_v1_dev": [squad, squad],
        "squad_v2_dev": [squad, {**squad, "answers": []}],
        "qed_dev": [squad],
        "hotpotqa_questions": [hop, {**hop, "gold_complete": False}],
        "hotpotqa_corpus": [
            {"title": "Marisa", "sentences": [evidence]},
            {"title": "Pietro", "sentences": ["A builder."]},
        ],
        "fever_symmetric_claims_dev": [stance, rival],
        "fever_symmetric_revision": [
            {"wrong": "Marisa reached 15 knots.", "right": stance["claim"], "evidence": evidence}
        ]
        * 2,
        "fm2_claims": [claim],
        "fm2_corpus": sentences,
        "climate_fever_claims": [{"claim": stance["claim"], "evidence": judged}],
        "climate_fever_corpus": sentences,
        "wice_oracle_chunks_claim_dev": [
            {"claim": stance["claim"], "label": "supported", "evidence": [evidence]},
            {"claim": "Oak sinks.", "label": "not_supported", "evidence": [evidence]},
        ],
        "pubmedqa": [{"QUESTION": "Is it fast?", "CONTEXTS": [evidence], "final_decision": "yes"}],
    }
    for name, rows in files.items():
        with gzip.open(data / f"{name}.jsonl.gz", "wt", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    return data


def test_every_test_of_the_command_runs_and_tells_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    only = [name for name in TESTS if name != "milliseconds a step"]
    main(["--data", str(rows_of(tmp_path)), "--limit", "2", "--json", str(out), "--only", *only])
    written = json.loads(out.read_text())
    assert set(written) == set(only) - {"stance, claim-only baseline", "stance, shared-words baseline"}
    for figures in written.values():
        assert figures["seconds"] > 0
        assert all(isinstance(v, float | int) for v in figures.values())
    mended = written["repair, wrong words to be found"]
    assert mended["n"] == 2
    assert 0 <= mended["untouched_kept"] <= 100
    main(["--card", str(out)])
    table = capsys.readouterr().out
    assert "| hotpotqa, two documents among eight | n 1, n incomplete 1, exact" in table
    main(["--data", str(tmp_path), "--json", str(out), "--only", "qed"])
    assert set(json.loads(out.read_text())) == set(written)


def test_a_folder_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--data", str(tmp_path / "nowhere")])
    assert stopped.value.code == 2


def test_only_what_was_right_counts_as_untouched() -> None:
    wrong, right = "Marisa reached 15 knots in May.", "Marisa reached 12 knots in May."
    assert untouched(wrong, right, wrong) == (5, 5)
    assert untouched(wrong, right, right) == (5, 5)
    assert untouched(wrong, right, "Marisa reached 12 miles in May.") == (4, 5)


def test_a_draft_reads_as_it_was_written_until_something_is_opened() -> None:
    denoiser = embedded_weights.load()
    claim = "Karl Benz built 12 boats in 1905 for Orta."
    found = written(denoiser, claim, "Karl Benz built 15 boats in 1905.")
    assert found is not None
    draft, words = found
    assert words == ["Karl Benz", "12", "1905", "Orta"]
    assert not draft.canvas.open[: draft.canvas.slots[-1].start].any()
    assert draft.text(draft.canvas, denoiser, words) == claim
    assert written(denoiser, "it is so", "yes") is None


def test_step_times_are_of_every_size() -> None:
    times = step_times(embedded_weights.load(), (64, 128), 1)
    assert set(times) == {"64_tokens", "64_tokens_kept", "128_tokens", "128_tokens_kept", "threads"}
    assert min(times.values()) > 0


def test_the_risk_is_what_is_wrong_among_the_surest() -> None:
    said, right = [0.9, 0.1, 0.8, 0.4], [1.0, 0.0, 0.0, 1.0]
    assert [risk(said, right, share) for share in (0.25, 0.5, 1.0)] == [0.0, 50.0, 50.0]
    assert risk(said, right, 0.01) == 0.0  # one at least


def test_what_is_said_with_less_than_the_bound_is_unsure() -> None:
    said, right = [0.95, 0.9, 0.8, 0.7, 0.6], [1.0, 1.0, 1.0, 0.0, 0.0]
    assert sure_from(said, right) == (0.8, 60.0)
    assert sure_from(said, right, most_wrong=25) == (0.7, 80.0)
    assert sure_from([0.9], [0.0]) == (1.0, 0.0)
