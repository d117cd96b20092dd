"""Claims and evidence: what supports what, what contradicts it, and what says nothing.

A verdict must not follow from the claim alone nor from shared words. So each pair has siblings that differ in little and are judged
otherwise: the evidence without its decisive words, with another value, about another subject, denied; the claim with a figure that
is about, under or over the one in the evidence. The same edits are made where they decide nothing, and then change nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from ..kinds import NO, NOT_ENOUGH, POLAR_PROMPT, POLAR_SLOT, REFUTES, SUPPORTS, VERDICT_SLOT, YES, MaskKind
from .corpus import _thin, find_all
from .examples import Example, Target
from .material import Material, content_words, cut, names_in, sentences

THREE = {"entailment": SUPPORTS, "contradiction": REFUTES, "neutral": NOT_ENOUGH}
CLAIM_LETTERS, EVIDENCE_LETTERS = 240, 800


def verdict(claim: str, evidence: Sequence[str], label: str, source: str) -> Example:
    shown = tuple(cut(e, EVIDENCE_LETTERS) for e in evidence)
    return Example((cut(claim, CLAIM_LETTERS),), shown, (VERDICT_SLOT,), (Target(words=label),), "stance", source)


# Labelled pairs


def entailment(m: Material, rng: random.Random) -> Example | None:
    row = m.row("nli3", rng)
    return verdict(row["hypothesis"], _among(m, [row["premise"]], rng), THREE[row["label"]], "nli3")


def table(m: Material, rng: random.Random) -> Example | None:
    """A statement and the rows of a table, in one passage or a passage each; without the rows it speaks of, nothing."""
    row = m.row("table_nli", rng)
    rows, label = list(row["rows"]), THREE[row["label"]]
    if row["label"] == "entailment" and rng.random() < 0.25:
        said = content_words(row["hypothesis"]) - content_words(row["title"])
        rest = [r for r in rows if not said & content_words(r)]
        if not rest or len(rest) == len(rows):
            return None
        rows, label = rest, NOT_ENOUGH
    rng.shuffle(rows)
    if rng.random() < 0.35 and len(rows) > 2:
        return verdict(
            row["hypothesis"], [row["title"], *rows[:13]] if len(rows) < 14 else [". ".join(rows)], label, "table_nli"
        )
    return verdict(row["hypothesis"], [". ".join([row["title"], *rows])], label, "table_nli")


def fever(m: Material, rng: random.Random) -> Example | None:
    row = m.row("fever_pairs", rng)
    label = SUPPORTS if row["label"] == "entailment" else REFUTES
    return verdict(row["claim"], _among(m, [row["evidence"]], rng), label, "fever_pairs")


def feverous(m: Material, rng: random.Random) -> Example | None:
    """Several passages together; without the one that shares most with the claim, nothing."""
    row = m.row("feverous_pairs", rng)
    label = SUPPORTS if row["label"] == "supports" else REFUTES
    texts = [e["text"] for e in row["evidence"]]
    if len(texts) > 1 and rng.random() < 0.35:
        said = content_words(row["claim"])
        texts.remove(max(texts, key=lambda t: len(said & content_words(t))))
        label = NOT_ENOUGH
    shown = texts[:6] if rng.random() < 0.5 else [" ".join(texts)]
    return verdict(row["claim"], shown, label, "feverous_pairs")


def attribution(m: Material, rng: random.Random) -> Example | None:
    row = m.row("attribution", rng)
    label = SUPPORTS if row["label"] == "supported" else NOT_ENOUGH
    return verdict(row["claim"], [row["evidence"]], label, "attribution")


def checked(m: Material, rng: random.Random) -> Example | None:
    """Small sets of real claims: VitaminC's three labels, WiCE's and HoVer's supported ones."""
    roll = rng.random()
    if roll < 0.45:
        row = m.row("vitaminc_small", rng)
        label = {"supports": SUPPORTS, "refutes": REFUTES, "nothing": NOT_ENOUGH}[row["label"]]
        return verdict(row["claim"], [row["evidence"]], label, "vitaminc_small")
    if roll < 0.85:
        row = m.row("wice_unsupported_tokens", rng)
        label = SUPPORTS if row["label"] == "supported" else NOT_ENOUGH
        return verdict(row["claim"], [row["evidence"]], label, "wice_unsupported_tokens")
    row = m.row("hover_claims", rng)
    shown = [" ".join(p["sentences"]) for p in row["evidence"]][:4]
    return verdict(row["claim"], shown, SUPPORTS, "hover_claims") if row["label"] == "supports" else None


def proof(m: Material, rng: random.Random) -> Example | None:
    """What follows from several sentences, and does not when one of them is missing."""
    row = m.row("entailment_trees", rng)
    needed = sorted({int(n) - 1 for n in re.findall(r"sent(\d+)", str(row.get("proof", "")))})
    facts = row["sentences"]
    picked = [facts[n] for n in needed if n < len(facts)]
    if not 2 <= len(picked) <= 5:
        return None
    others = [f for n, f in enumerate(facts) if n not in needed][: rng.randint(0, 2)]
    label = SUPPORTS
    if rng.random() < 0.45:
        said = content_words(row["hypothesis"])
        picked.remove(max(picked, key=lambda t: len(said & content_words(t))))
        label = NOT_ENOUGH
    shown = [*picked, *others]
    rng.shuffle(shown)
    return verdict(row["hypothesis"], shown if rng.random() < 0.5 else [". ".join(shown)], label, "entailment_trees")


def argument(m: Material, rng: random.Random) -> Example | None:
    """A view of a matter of opinion, for or against; the views of another matter say nothing."""
    row = m.row("stance_pairs", rng)
    label = SUPPORTS if row["stance"] == "support" else REFUTES
    if rng.random() < 0.3:
        other = m.row("stance_pairs", rng)
        if content_words(other["claim"]) & content_words(row["claim"]):
            return None
        return verdict(row["claim"], [rng.choice(other["perspectives"])], NOT_ENOUGH, "stance_pairs")
    return verdict(row["claim"], [rng.choice(row["perspectives"])], label, "stance_pairs")


_EFFECTS = {
    "significantly increased": "increased",
    "significantly decreased": "reduced",
    "no significant difference": "made no significant difference to",
}


def trial(m: Material, rng: random.Random) -> Example | None:
    """What a treatment did to an outcome, from the sentences of a trial; those of another trial say nothing."""
    row = m.row("evidence_inference", rng)
    said, evidence, label = row["label"], [cut(" ".join(row["evidence"]), EVIDENCE_LETTERS)], SUPPORTS
    roll = rng.random()
    if roll < 0.33:
        said, label = rng.choice([e for e in _EFFECTS if e != row["label"]]), REFUTES
    elif roll < 0.6:
        other = m.row("evidence_inference", rng)
        if other["pmcid"] == row["pmcid"]:
            return None
        evidence, label = [cut(" ".join(other["evidence"]), EVIDENCE_LETTERS)], NOT_ENOUGH
    claim = f"{row['intervention']} {_EFFECTS[said]} {row['outcome']} compared with {row['comparator']}"
    return verdict(claim, evidence, label, "evidence_inference")


def polar(m: Material, rng: random.Random) -> Example | None:
    """A question that yes or no answers, or, beside another text, nothing."""
    row = m.row("boolean_qa", rng)
    passage, answer = cut(row["passage"], 1000), YES if row["answer"] == "yes" else NO
    if rng.random() < 0.25:
        other = m.row("boolean_qa", rng)
        if other["title"] == row["title"]:
            return None
        passage, answer = cut(other["passage"], 1000), NOT_ENOUGH
    draft = (POLAR_PROMPT, POLAR_SLOT)
    return Example((row["question"],), (passage,), draft, (Target(words=answer),), "polar", "boolean_qa")


def polar_hops(m: Material, rng: random.Random) -> Example | None:
    row = m.row("multihop_qa", rng)
    if row["answer"].lower() not in ("yes", "no"):
        return None
    gold = [p for p in row["paragraphs"] if p["gold"]]
    answer = YES if row["answer"].lower() == "yes" else NO
    if rng.random() < 0.35 and len(gold) > 1:
        gold, answer = [rng.choice(gold)], NOT_ENOUGH
    shown = tuple(cut(f"{p['title']}. {' '.join(p['sentences'])}", EVIDENCE_LETTERS) for p in gold)
    return Example(
        (row["question"],), shown, (POLAR_PROMPT, POLAR_SLOT), (Target(words=answer),), "polar", "multihop_qa"
    )


# Pairs and their siblings


def siblings(m: Material, rng: random.Random) -> Example | None:
    """A supported claim beside its evidence whole, without its decisive words, with another value, or about another subject."""
    claim, evidence, source = _supported(m, rng)
    shared = [s for s in names_in(claim) if find_all(evidence, claim[s[0] : s[1]])]
    if not shared:
        return None
    start, end, kind = rng.choice(shared)
    words, roll = claim[start:end], rng.random()
    if roll < 0.38:
        return verdict(claim, _among(m, [_erased(evidence, words, kind, rng)], rng), NOT_ENOUGH, source)
    if roll < 0.62:
        return verdict(claim, _among(m, [evidence], rng), SUPPORTS, source)
    if roll < 0.76:  # the same edit where it decides nothing
        others = [s for s in names_in(evidence) if evidence[s[0] : s[1]] not in claim]
        if not others:
            return None
        s, e, k = rng.choice(others)
        return verdict(claim, [_erased(evidence, evidence[s:e], k, rng)], SUPPORTS, source)
    other = m.corpus.same_kind(words, kind, rng)
    changed = evidence.replace(words, other)
    label = NOT_ENOUGH if start < 3 and kind is MaskKind.ENTITY else REFUTES  # of somebody else, nothing is said
    if changed == evidence:
        return None
    if rng.random() < 0.5:
        return verdict(claim, [changed], label, source)
    return verdict(claim[:start] + other + claim[end:], [evidence], label, source)


def qualifier(m: Material, rng: random.Random) -> Example | None:
    """The evidence without one plain word that the claim rests on (its trade, its rank, what was done), or without one it does not."""
    claim, evidence, source = _supported(m, rng)
    said = content_words(claim)
    spots = [w for w in re.finditer(r"\b[a-z][a-z-]{3,}\b", evidence) if w.group() in content_words(evidence)]
    decisive = [w for w in spots if w.group() in said]
    idle = [w for w in spots if w.group() not in said]
    if not decisive or not idle:
        return None
    if rng.random() < 0.6:
        gone = {rng.choice(decisive).group() for _ in range(rng.randint(1, 3))}
        return verdict(claim, [_without_words(evidence, gone)], NOT_ENOUGH, source)
    gone = {rng.choice(idle).group() for _ in range(rng.randint(1, 3))}
    return verdict(claim, [_without_words(evidence, gone)], SUPPORTS, source)


def clause(m: Material, rng: random.Random) -> Example | None:
    """The paragraph without the sentence that carries the claim: the same topic, the same names, nothing said."""
    paragraph = _paragraph(m, rng)
    usable = [s for s in sentences(paragraph) if 40 < len(s) < 240]
    if len(usable) < 2:
        return None
    sentence = rng.choice(usable)
    claim = _thin(sentence, rng)
    if rng.random() < 0.3:
        return verdict(claim, _among(m, [paragraph], rng), SUPPORTS, "wikipedia_pages")
    rest = " ".join(s for s in sentences(paragraph) if s != sentence)
    if len(rest) < 60:
        return None
    return verdict(claim, _among(m, [rest], rng), NOT_ENOUGH, "wikipedia_pages")


def denied(m: Material, rng: random.Random) -> Example | None:
    """A claim or its evidence said with a not: each alone turns the verdict round, both together do not."""
    row = m.row("fever_pairs", rng)
    claim, evidence = row["claim"], row["evidence"]
    is_true, roll = row["label"] == "entailment", rng.random()
    not_claim = negated(claim, rng)
    not_evidence = negated(evidence, rng) if len(sentences(evidence)) == 1 and is_true else None
    if roll < 0.5 and not_claim:
        return verdict(not_claim, _among(m, [evidence], rng), REFUTES if is_true else SUPPORTS, "fever_pairs")
    if roll < 0.75 and not_evidence and content_words(claim) <= content_words(evidence):
        return verdict(claim, [not_evidence], REFUTES, "fever_pairs")
    sentence = rng.choice(sentences(_paragraph(m, rng)))
    twice = negated(sentence, rng)
    if twice is None or not 40 < len(sentence) < 240:
        return None
    if roll < 0.88:
        return verdict(_thin(twice, rng), [twice], SUPPORTS, "wikipedia_pages")
    return verdict(*((twice, [sentence]) if rng.random() < 0.5 else (sentence, [twice])), REFUTES, "wikipedia_pages")


_AUXILIARIES = frozenset("is was are were has have had can could will would may should does did".split())


def negated(text: str, rng: random.Random) -> str | None:
    """The sentence with its first auxiliary denied, or without its denial; None where it has none."""
    words = text.split(" ")
    for n, word in enumerate(words[:14]):
        if word.lower() in _AUXILIARIES and n:
            if n + 1 < len(words) and words[n + 1] in ("not", "never"):
                return " ".join([*words[: n + 1], *words[n + 2 :]])
            denial = rng.choice(["not", "not", "never"]) if word in ("is", "was", "has", "had") else "not"
            return " ".join([*words[: n + 1], denial, *words[n + 1 :]])
    return None


_FIGURE = re.compile(r"(?<![\w.,$€£-])(\d{1,3}(?:,\d{3})+|\d{2,7})(?![\w.,%-]*\d|%|st|nd|rd|th|s\b)")


def quantity(m: Material, rng: random.Random) -> Example | None:
    """A figure said as about, nearly, over or under another; a year as a decade, before or after."""
    sentence = rng.choice(sentences(_paragraph(m, rng)))
    found = list(_FIGURE.finditer(sentence))
    if not found or not 30 < len(sentence) < 240:
        return None
    figure = rng.choice(found)
    value = int(figure.group().replace(",", ""))
    before, after = sentence[: figure.start()], sentence[figure.end() :]
    is_year = "," not in figure.group() and 1300 < value < 2030
    if is_year and not re.search(r"\b(?:in|since|until|by)\s$", before):
        return None
    label = rng.choice([SUPPORTS, REFUTES])
    if is_year:
        before = before[: before.rstrip().rfind(" ") + 1]
        said = _year_said(value, label, rng)
    else:
        said = _figure_said(value, label, rng)
    claim, evidence = _thin(before + said + after, rng), sentence
    if rng.random() < 0.22:
        evidence, label = _erased(sentence, figure.group(), MaskKind.NUMBER, rng), NOT_ENOUGH
    return verdict(claim, [evidence], label, "wikipedia_pages")


def _year_said(year: int, label: str, rng: random.Random) -> str:
    off = rng.randint(2, 40)
    if label is SUPPORTS:
        return rng.choice([f"in the {year // 10 * 10}s", f"before {year + off}", f"after {year - off}", f"in {year}"])
    decade = year // 10 * 10 + rng.choice([-20, -10, 10, 20])
    wordings = [
        f"in the {decade}s",
        f"before {year - off}",
        f"after {year + off}",
        f"in {year + rng.choice([-1, 1, off])}",
    ]
    return rng.choice(wordings)


def _figure_said(value: int, label: str, rng: random.Random) -> str:
    lower, higher = int(value * rng.uniform(0.5, 0.92)), int(value * rng.uniform(1.1, 1.9)) + 1
    near = round(value, 1 - len(str(value))) if value > 20 else value
    if label is SUPPORTS:
        wordings = [f"more than {lower:,}", f"at least {lower:,}", f"at least {value:,}", f"fewer than {higher:,}"]
        wordings.append(f"up to {higher:,}")
        if near and abs(near - value) <= 0.08 * value:
            wordings += [f"about {near:,}", f"around {near:,}"]
            wordings += (
                [f"nearly {near:,}", f"almost {near:,}"] if near > value else [f"over {near:,}"] * (near < value)
            )
        return rng.choice(wordings)
    wordings = [f"more than {higher:,}", f"at least {higher:,}", f"fewer than {lower:,}", f"at most {lower:,}"]
    return rng.choice([*wordings, f"about {higher * 2:,}", f"exactly {higher:,}", f"nearly {lower:,}", f"{higher:,}"])


def elsewhere(m: Material, rng: random.Random) -> Example | None:
    """Evidence of another claim about the same name, or of another paragraph of the page: the topic without the support."""
    if rng.random() < 0.5:
        number = rng.randrange(len(m.corpus.fever))
        other = m.corpus._other_evidence(number, rng)
        return verdict(m.corpus.fever[number]["claim"], _among(m, [other], rng), NOT_ENOUGH, "fever_pairs")
    page = m.row("wikipedia_pages", rng)
    one, two = rng.sample(page["paragraphs"], 2)
    usable = [s for s in sentences(one[1]) if 40 < len(s) < 240]
    return verdict(_thin(rng.choice(usable), rng), [two[1]], NOT_ENOUGH, "wikipedia_pages") if usable else None


def _supported(m: Material, rng: random.Random) -> tuple[str, str, str]:
    """A claim, evidence that supports it, and where they are from."""
    roll = rng.random()
    if roll < 0.4:
        row = m.row("fever_pairs", rng)
        while row["label"] != "entailment":
            row = m.row("fever_pairs", rng)
        return row["claim"], cut(row["evidence"], EVIDENCE_LETTERS), "fever_pairs"
    if roll < 0.55:
        row = m.row("nli3", rng)
        while row["label"] != "entailment":
            row = m.row("nli3", rng)
        return row["hypothesis"], row["premise"], "nli3"
    paragraph = _paragraph(m, rng)
    usable = [s for s in sentences(paragraph) if 40 < len(s) < 240] or [paragraph[:200]]
    sentence = rng.choice(usable)
    alone = rng.random() < 0.5
    return _thin(sentence, rng), sentence if alone else cut(paragraph, EVIDENCE_LETTERS), "wikipedia_pages"


def _paragraph(m: Material, rng: random.Random) -> str:
    paragraph: str = rng.choice(m.row("wikipedia_pages", rng)["paragraphs"])[1]
    return paragraph


def _among(m: Material, evidence: list[str], rng: random.Random) -> list[str]:
    """The evidence, now and then among passages about something else, or cut into its sentences."""
    roll = rng.random()
    if roll < 0.12:
        shown = [*evidence, *(m.row("fever_pairs", rng)["evidence"] for _ in range(rng.randint(1, 3)))]
        rng.shuffle(shown)
        return shown
    if roll < 0.18:
        return [s for text in evidence for s in sentences(text)][:8] or evidence
    return evidence


_LEADING = frozenset("in on at by from of to with for during since until the a an as into within near".split())
_VAGUE = {
    MaskKind.NUMBER: ["some", "several", "a number of", "many", "at some point"],
    MaskKind.ENTITY: ["someone", "another", "a place", "something", "a group", "one of them"],
}


def _erased(text: str, words: str, kind: MaskKind, rng: random.Random) -> str:
    """The text without `words` and what leads up to them, or with something vague in their place."""
    vague = rng.choice(_VAGUE[kind]) if rng.random() < 0.4 else ""
    at = text.find(words)
    for _ in range(text.count(words)):
        head, tail = text[:at].rstrip(" "), text[at + len(words) :]
        while not vague and head.rsplit(" ", 1)[-1].lower() in _LEADING:
            head = head.rsplit(" ", 1)[0].rstrip(" ") if " " in head else ""
        middle = f" {vague}" if vague else ""
        if head.endswith(",") and tail.startswith(","):
            tail = tail[1:]
        text = (head + middle + tail).strip()
        at = text.find(words, max(len(head) - 1, 0))
    return text


def _without_words(text: str, gone: set[str]) -> str:
    return " ".join(w for w in text.split(" ") if w.strip(".,;:()'\"").lower() not in gone)
