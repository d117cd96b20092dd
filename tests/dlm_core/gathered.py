"""A gathered folder of one or two made-up rows of every file that drawers read."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

from palimpsest.dlm_core.training.material import Material, sentences

TEXT = (
    "Ada Lovelace wrote about 40 letters to Charles Babbage in 1843. The engine was never built in London. She was an English "
    "mathematician of great renown. Her notes had 1,250 words on the machine. Nobody in Paris read them before 1900."
)
PAGE = {"title": "Ada Lovelace", "paragraphs": [["Work", TEXT], ["Life", TEXT.replace("Ada", "Ida")], ["", TEXT[::1]]]}
ROWS = {
    "squad_train": [{"title": "Ada", "question": "Who wrote?", "context": TEXT, "answers": ["Ada Lovelace"]}],
    "qed_train": [{"title": "Ada", "question": "Where was it?", "context": TEXT, "answers": ["London"]}],
    "unanswerable_pairs": [
        {"title": "Ada", "question": "Who wrote?", "opening": TEXT[:48], "answers": ["Ada Lovelace"]}
        | {"unanswerable_question": "Who sang?"}
    ],
    "span_qa": [{"title": "", "question": "When?", "context": TEXT, "answers": ["1843"], "answerable": True}],
    "fever_pairs": [
        {"claim": "Ada Lovelace was English.", "evidence": "Ada Lovelace was an English countess.", "label": "entailment"},
        {"claim": "Ada Lovelace was Dutch.", "evidence": "Ada Lovelace was an English countess.", "label": "not_entailment"},
    ],
    "feverous_pairs": [{"claim": "Ada wrote.", "label": "supports", "evidence": [{"title": "A", "text": TEXT}]}],
    "wikipedia_pages": [PAGE, {**PAGE, "title": "Babbage"}],
    "nli3": [{"premise": "A man runs.", "hypothesis": "A man moves.", "label": "entailment", "source": "snli_dev"}],
    "table_nli": [
        {"title": "Ada", "rows": ["Born: 10 December 1815", "Died: 27 November 1852", "Work: notes on the engine"]}
        | {"hypothesis": "Ada was born in 1815.", "label": "entailment", "table": "t"}
    ],
    "multihop_qa": [
        {
            "question": "Where was the author of the notes born?",
            "answer": "London",
            "source": "hotpotqa",
            "type": "bridge",
            "gold_complete": True,
            "paragraphs": [
                {"title": "Notes", "sentences": ["The notes are by Ada Lovelace."], "facts": [0], "gold": True},
                {"title": "Ada Lovelace", "sentences": ["She was born in London."], "facts": [0], "gold": True},
                {"title": "Paris", "sentences": ["A city in France."], "facts": [], "gold": False},
            ],
        },
        {"question": "Which is older, A or B?", "answer": "no", "source": "h", "type": "comparison", "gold_complete": True}
        | {"paragraphs": [{"title": t, "sentences": [f"{t} is old."], "facts": [0], "gold": True} for t in "AB"]},
        {"question": "Where was she last seen?", "answer": "Paris", "source": "musique", "gold_complete": True}
        | {"paragraphs": [{"title": "Paris", "sentences": ["She was seen in Paris."], "facts": [], "gold": True}]},
    ],
    "decomposition": [
        {"question": "Who is the mother of Ada?", "steps": ["Ada >> mother", "#1 >> name"], "type": "compositional"},
        {"question": "Is A or B older?", "steps": ["A >> date", "B >> date"], "type": "comparison"},
    ],
    "boolean_qa": [{"question": "is it", "title": n, "passage": TEXT, "answer": "yes"} for n in "ab"],
    "time_qa": [
        {"page": "Ada", "paragraphs": [TEXT], "questions": [{"question": "Where in 1843?", "answerable": True}
         | {"answers": [{"paragraph": 0, "start": TEXT.index("London"), "end": TEXT.index("London") + 6, "text": "London"}]}]}
    ],
    "attribution": [{"evidence": "It rains.", "claim": "it rains", "label": "supported"}],
    "entailment_trees": [{"hypothesis": "a c", "sentences": ["a b", "b c"], "proof": "sent1 & sent2 -> hypothesis"}],
    "answer_sentences": [
        {"question": "Who?", "title": "Ada", "heading": "Work", "sentences": sentences(TEXT), "answer_sentences": [0]}
    ],
    "medquad": [
        {"focus": "Flu", "question": f"What {t} of Flu?", "qtype": t, "answer": TEXT.replace("Ada", "Flu")}
        for t in ("information", "treatment", "causes", "symptoms")
    ],
    "stance_pairs": [
        {"claim": "Schools must close", "perspectives": ["Pupils could sleep for longer."], "stance": "support"},
        {"claim": "Cars are bad", "perspectives": ["They are loud and smelly."], "stance": "undermine"},
    ],
    "vitaminc_small": [{"claim": "Two died.", "evidence": "Three died.", "label": "refutes"}],
    "hover_claims": [{"claim": "x y", "label": "supports", "evidence": [{"sentences": ["x y."]}]}],
    "evidence_inference": [
        {"pmcid": n, "intervention": "salt", "comparator": "none", "outcome": "pressure", "label": "significantly increased"}
        | {"evidence": ["Salt increased pressure a lot."]}
        for n in ("1", "2")
    ],
    "pmc_articles": [{"id": "1", "title": "Salt", "abstract": TEXT + " We conclude that salt is bad."}],
    "arxiv_abstracts": [{"id": "", "title": "Nets", "abstract": "Nets are old news to all. We show that nets learn well."}],
    "wice_unsupported_tokens": [{"claim": "A b.", "label": "supported", "evidence": "A b."}],
}  # fmt: skip


def loaded(folder: Path) -> Material:
    """The rows written into an empty folder, and read from it."""
    for name, rows in ROWS.items():
        with lzma.open(folder / f"{name}.jsonl.xz", "wt") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    return Material.load(folder)
