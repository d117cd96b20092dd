"""Which sentences of a paragraph belong in the answer to a question of any kind.

A draft holds up to six sentences of the paragraph with a RELEVANCE_SLOT behind each, so they are also ranked among themselves.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..kinds import IRRELEVANT, RELEVANCE_PROMPT, RELEVANCE_SLOT, RELEVANT
from .examples import Example, Piece, Row, Target
from .material import Material, content_words, cut, sentences

MOST_SENTENCES = 6
PARAGRAPH_LETTERS = 950
Judged = list[tuple[str, bool]]  # sentences and whether they answer


def relevance(question: str, heading: str, judged: Judged, source: str, rng: random.Random) -> Example | None:
    """Sentences in their order; those that are not judged still stand in the paragraph."""
    judged = [(cut(s, 320), right) for s, right in judged if len(s) > 15]
    if not judged or not question.strip():
        return None
    first = rng.randrange(max(len(judged) - 9, 1))
    judged = judged[first : first + 9]
    paragraph = cut(" ".join(s for s, _ in judged), PARAGRAPH_LETTERS)
    inside = [(s, right) for s, right in judged if s in paragraph]
    picked = sorted(rng.sample(range(len(inside)), min(len(inside), rng.choice([1, 2, 3, 4, 5, MOST_SENTENCES]))))
    if not picked:
        return None
    if len(picked) == 1 and rng.random() < 0.5:
        paragraph = inside[picked[0]][0]
    if heading and rng.random() < 0.6:
        paragraph = f"{heading}. {paragraph}"
    draft: list[Piece] = []
    for n in picked:
        draft += [f"{' ' if draft else ''}{inside[n][0]}{RELEVANCE_PROMPT}", RELEVANCE_SLOT]
    targets = tuple(Target(words=RELEVANT if inside[n][1] else IRRELEVANT) for n in picked)
    return Example((question.strip(),), (paragraph,), tuple(draft), targets, "relevance", source)


def all_off(texts: Sequence[str]) -> Judged:
    return [(s, False) for text in texts for s in sentences(text)]


def from_answers(m: Material, rng: random.Random) -> Example | None:
    """The sentence that holds the answer; a fifth of the time another paragraph of the article, where none does."""
    name = rng.choices(["squad_train", "qed_train", "span_qa"], [0.75, 0.15, 0.1])[0]
    row = m.row(name, rng)
    if not row["answers"] or row.get("answerable") is False:
        return None
    answer, title = row["answers"][0], row["title"].replace("_", " ")
    judged = [(s, answer in s) for s in sentences(row["context"])]
    if rng.random() < 0.2 and name == "squad_train":
        others = [c for c in m.corpus.by_title.get(row["title"], []) if answer not in c]
        judged = all_off([rng.choice(others)]) if others else judged
    if (
        sum(right for _, right in judged) > 1
    ):  # the answer's words stand in several: those that share most with the question
        said = content_words(row["question"])
        most = max(len(said & content_words(s)) for s, right in judged if right)
        judged = [(s, right and len(said & content_words(s)) == most) for s, right in judged]
    return relevance(row["question"], title, judged, name, rng)


def from_sentences(m: Material, rng: random.Random) -> Example | None:
    row = m.row("answer_sentences", rng)
    right = set(row["answer_sentences"])
    judged = [(s, n in right) for n, s in enumerate(row["sentences"])]
    heading = f"{row['title']}, {row['heading']}" if row.get("heading") else row["title"]
    return relevance(row["question"], heading, judged, "answer_sentences", rng)


def from_hops(m: Material, rng: random.Random) -> Example | None:
    """The supporting facts of a question of several hops, and the paragraphs that are beside the point."""
    row = m.row("multihop_qa", rng)
    gold = [p for p in row["paragraphs"] if p["facts"]]
    others = [p for p in row["paragraphs"] if not p["gold"]]
    if not gold:
        return None
    page = rng.choice(others) if others and rng.random() < 0.25 else rng.choice(gold)
    judged = [(s, n in page["facts"]) for n, s in enumerate(page["sentences"])]
    return relevance(row["question"], page["title"], judged, "multihop_qa", rng)


def from_medicine(m: Material, rng: random.Random) -> Example | None:
    """The answer to one aspect of an illness among the sentences about its other aspects."""
    rows = m.rows["medquad"]
    at = rng.randrange(1, len(rows) - 1)
    row = rows[at]
    near = [r for r in (rows[at - 1], rows[at + 1]) if r["focus"] == row["focus"] and r["qtype"] != row["qtype"]]
    right = [(s, True) for s in sentences(row["answer"])[: rng.randint(1, 4)]]
    wrong = all_off([rng.choice(near)["answer"] if near else rng.choice(rows)["answer"]])[: rng.randint(1, 5)]
    judged = right + wrong if rng.random() < 0.5 else wrong + right
    return relevance(row["question"], "", judged, "medquad", rng)


_ABOUT = (
    "What is known about {heading} of {title}?",
    "{title}: {heading}",
    "What can be said about the {heading} of {title}?",
    "Describe the {heading} of {title}.",
    "Tell me about {title}, in particular {heading}.",
)


def from_sections(m: Material, rng: random.Random) -> Example | None:
    """A broad question about a section of a page: its sentences, among those of other sections."""
    page = m.row("wikipedia_pages", rng)
    one, two = rng.sample(page["paragraphs"], 2)
    if not one[0] or one[0] == two[0]:
        return None
    question = rng.choice(_ABOUT).format(heading=one[0].lower(), title=page["title"])
    right = [(s, True) for s in sentences(one[1])][: rng.randint(1, 4)]
    wrong = all_off([two[1]])[: rng.randint(1, 4)]
    judged = right + wrong if rng.random() < 0.5 else wrong + right
    return relevance(question, page["title"], judged, "wikipedia_pages", rng)


_FINDING = (
    "we show",
    "we find",
    "we found",
    "results show",
    "conclusion",
    "we conclude",
    "significant",
    "outperform",
    "we demonstrate",
    "suggest",
    "we prove",
    "achieve",
    "we report",
    "reveal",
    "compared with",
    "improve",
    "associated with",
)
_ASKED = (
    "What is known about {title}?",
    "{title}?",
    "What does research say on {title}?",
    "What are the findings on {title}?",
)


def from_abstracts(m: Material, rng: random.Random) -> Example | None:
    """The findings of an abstract, not its background nor its methods; the abstract of another paper does not answer."""
    name = rng.choice(["pmc_articles", "arxiv_abstracts"])
    row = m.row(name, rng)
    question = rng.choice(_ASKED).format(title=row["title"].strip(" .?"))
    if rng.random() < 0.3:
        return relevance(question, "", all_off([m.row(name, rng)["abstract"]]), name, rng)
    judged = [(s, any(f in s.lower() for f in _FINDING)) for s in sentences(row["abstract"])]
    return relevance(question, row["title"] if rng.random() < 0.5 else "", judged, name, rng)


def from_titles(m: Material, rng: random.Random) -> Example | None:
    """A paper or page by its name: its own sentences, among those of the one of many whose name shares most words with it."""
    name = rng.choice(["arxiv_abstracts", "pmc_articles", "wikipedia_pages"])
    row = m.row(name, rng)
    said = content_words(row["title"])
    others = [r for r in (m.row(name, rng) for _ in range(40)) if r["title"] != row["title"]]
    if not others:
        return None
    near = max(others, key=lambda r: len(said & content_words(r["title"])))
    own, other = (sentences(_text_of(r, rng)) for r in (row, near))
    judged = [(s, True) for s in own[: rng.randint(1, 5)]] + [(s, False) for s in other[: rng.randint(1, 5)]]
    if rng.random() < 0.4:
        rng.shuffle(judged)
    elif rng.random() < 0.5:
        judged = judged[::-1]
    return relevance(rng.choice(_ASKED).format(title=row["title"].strip(" .?")), "", judged, name, rng)


def _text_of(row: Row, rng: random.Random) -> str:
    text: str = row["abstract"] if "abstract" in row else rng.choice(row["paragraphs"])[1]
    return text


def from_trials(m: Material, rng: random.Random) -> Example | None:
    """The sentences that say what a treatment did to an outcome, among the others of the abstract."""
    row = m.row("evidence_inference", rng)
    article = m.by_article.get(row["pmcid"])
    question = rng.choice(
        (
            "Does {i} affect {o}, compared with {c}?",
            "What is the effect of {i} on {o}?",
            "How does {i} compare with {c} for {o}?",
            "What does the evidence say about {i} and {o}?",
        )
    ).format(i=row["intervention"], o=row["outcome"], c=row["comparator"])
    right = [(s, True) for s in sentences(" ".join(row["evidence"]))][:3]
    other = article["abstract"] if article else m.row("pmc_articles", rng)["abstract"]
    said = {s for s, _ in right}
    wrong = [(s, False) for s in sentences(other) if s not in said and not any(f in s.lower() for f in _FINDING)]
    judged = wrong[: rng.randint(1, 4)] + right
    return relevance(question, "", judged, "evidence_inference", rng)


def from_opinions(m: Material, rng: random.Random) -> Example | None:
    """Views of the matter that is asked about, among views of others."""
    row, other = m.row("stance_pairs", rng), m.row("stance_pairs", rng)
    if content_words(row["claim"]) & content_words(other["claim"]):
        return None
    asked = rng.choice(
        ("{claim}?", "Is it right that {claim}?", "What speaks for and against: {claim}?", "Should it be so? {claim}")
    )
    judged = [(s, True) for s in row["perspectives"][:3]] + [(s, False) for s in other["perspectives"][:3]]
    rng.shuffle(judged)
    return relevance(asked.format(claim=row["claim"].strip(" .")), "", judged, "stance_pairs", rng)


def from_tables(m: Material, rng: random.Random) -> Example | None:
    """The row of a table that a question asks of."""
    row = m.row("table_nli", rng)
    pairs = [r.split(":", 1)[0] for r in row["rows"] if ":" in r]
    if len(pairs) < 3:
        return None
    key = rng.choice(pairs)
    question = rng.choice(("What is the {k} of {t}?", "{t}: {k}", "What does the table give as {k} for {t}?"))
    judged = [(r, r.split(":", 1)[0] == key) for r in row["rows"]]
    rng.shuffle(judged)
    return relevance(question.format(k=key.lower(), t=row["title"]), row["title"], judged, "table_nli", rng)
