"""What tells a whole phrase from a piece of one, fitted on a handful of made-up paragraphs."""

from __future__ import annotations

from palimpsest.agent.phrases import CUT, WHOLE, wholeness
from palimpsest.workflows.evaluation.fit_headings import fitted, rows_of

NAMES = frozenset({"salt cargo", "lake barge", "grain quay", "north wind"})
VERBS = ("reaches", "carries", "crosses", "lowers")
TEXTS = [
    (f"Note {n}", f"The {name} {verb} many towns. Nobody saw the old {name} of Orta.")
    for n, (name, verb) in enumerate((name, verb) for name in sorted(NAMES) for verb in VERBS)
]


def test_whole_are_names_and_cut_is_what_shares_words_with_them() -> None:
    rows = list(rows_of(TEXTS, NAMES))
    whole = {row.phrase for row in rows if row.label == WHOLE}
    cut = {row.phrase for row in rows if row.label == CUT}
    assert whole == NAMES
    assert not cut & NAMES
    assert all(any(set(phrase.split()) & set(name.split()) for name in NAMES) for phrase in cut)
    assert any(phrase.split()[-1] in VERBS for phrase in cut)


def test_no_phrase_is_taken_more_than_a_few_times() -> None:
    rows = [row for row in rows_of(TEXTS * 20, NAMES) if row.label == WHOLE]
    assert max(sum(row.phrase == name for row in rows) for name in NAMES) <= 4


def test_the_classifier_knows_phrases_of_texts_that_it_has_not_seen() -> None:
    found, measured = fitted(list(rows_of(TEXTS, NAMES)))
    seen = wholeness(["The stone pier reaches many towns."], found)
    assert seen["stone pier"] > seen["pier reaches"]
    assert set(measured) == {"whole_auroc", "whole_auroc_of_new_phrases"}
