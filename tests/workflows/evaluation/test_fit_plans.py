"""What tells a planned study from one that was done, fitted on a handful of made-up abstracts."""

from __future__ import annotations

from typing import Any

from palimpsest.agent.weighing import DONE, OTHER, PLANNED
from palimpsest.workflows.evaluation.fit_plans import LEAST, figures, fitted, label_of, pages_of, rows_of

PLAN = "Barges {n} will be loaded with salt. Crews will be asked weekly. We will compare tolls. It will end in May. It is registered."
STUDY = "Barges {n} were loaded with salt. Crews were asked weekly. We compared tolls. It ended in May. Tolls fell by a third."


def article(number: int, title: str, text: str) -> dict[str, Any]:
    return {"pmcid": f"PMC{number}", "title": title, "abstract": [{"heading": "", "text": text.format(n=number)}]}


ARTICLES = [article(n, f"Salt and barges {n}: study protocol", PLAN) for n in range(20)]
ARTICLES += [article(n, f"Salt and barges {n}: a trial", STUDY) for n in range(20, 40)]


def test_the_title_labels_and_is_not_in_the_text() -> None:
    rows = list(rows_of(ARTICLES, set()))
    assert {row.label for row in rows if int(row.document) < 20} == {PLANNED}
    assert {row.label for row in rows if int(row.document) >= 20} == {DONE}
    assert not any("protocol" in row.text for row in rows)
    assert label_of("Rationale and design of the SALT trial") == PLANNED
    assert label_of("Joint design of locks and quays") == DONE


def test_what_is_asked_of_is_kept_apart_and_a_short_text_is_left_out() -> None:
    short = article(50, "Short: study protocol", "One sentence. Two of them.")
    found = {row.document for row in rows_of([*ARTICLES, short], {"3", "21"})}
    assert found == {str(n) for n in range(40)} - {"3", "21"}
    assert LEAST > 2


PAGES = [
    {"title": f"Lock {n}", "paragraphs": [f"Lock {n} is a lock. It lies in Orta. Its gate is of oak. Canale built it."]}
    for n in range(20)
]


def test_pages_are_other_texts() -> None:
    rows = list(pages_of(PAGES))
    assert {row.label for row in rows} == {OTHER}
    assert len(rows) == len(PAGES)


def test_the_classifier_knows_texts_that_it_has_not_seen() -> None:
    found, measured = fitted([*rows_of(ARTICLES, set()), *pages_of(PAGES)])
    assert measured["studies_plans_auroc"] == 1.0
    assert measured["studies_seen"] == 1.0
    assert measured["studies_wrongly"] == 0.0
    fresh = [("Lamps will be lit. We will compare nights. It will end in June. Crews will be asked.", PLANNED)]
    fresh += [("Lamps were lit. We compared nights. It ended in June. Crews were asked.", DONE)]
    fresh += [("Quay 7 is a quay. It lies in Como. Its wall is of stone. Rossi built it.", OTHER)]
    shares = figures(found, fresh, "fresh")
    assert (shares["fresh_plans_auroc"], shares["fresh_seen"], shares["fresh_wrongly"]) == (1.0, 1.0, 0.0)
