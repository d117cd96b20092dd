"""Whether words name a thing."""

from __future__ import annotations

import pytest

from palimpsest.agent.naming import as_said, names_thing, speaks_of
from palimpsest.retrieval.types import Passage

from .pieces import passage, sentences


def test_a_thing_is_known_as_the_evidence_names_it() -> None:
    things = ("russian blue", "british blue cat")
    assert as_said("british blue cat", "British Blues are shorthairs.", things) == "british blue"
    assert as_said("russian blue", "British Blues are shorthairs.", things) == "russian blue"
    assert as_said("face-to-face trade", "Face-to-face sales pay.", ("face-to-face trade", "rail")) == "face-to-face"
    assert as_said("long-term trade", "The long-term price fell.", ("long-term trade", "rail")) == "long-term trade"
    assert as_said("blue trade", "Blue salt pays.", ("blue trade", "rail")) == "blue trade"
    assert as_said("british blue cat", "Nothing of it.", things) == "british blue cat"
    assert (
        as_said("salt barge toll", "The salt barge pays.", ("salt barge toll", "salt barge tax")) == "salt barge toll"
    )


def test_a_sentence_speaks_of_the_thing_that_it_names_or_that_its_title_names_alone() -> None:
    (one,) = sentences(passage("e", "Proto-stars glow in the infrared alone."))
    assert speaks_of("proto-stars", one, ("proto-stars", "stars"), "")
    assert not speaks_of("stars", one, ("proto-stars", "stars"), "")
    assert under("Alder: a wood for piles")
    assert not under("Alder and oak", told="Alder is cut in winter.")
    (three,) = sentences(passage("alder", "The wood of oak lasts for centuries."))
    assert not speaks_of("Alder", three, ("Alder", "Oak"), "Alder is cut in winter.")
    (four,) = sentences(titled("Mill wheels", "It turns slowly at low water."))
    assert speaks_of("mill wheels", four, ("mill", "mill wheels"), "")  # what its own name holds is no other thing


def titled(title: str, text: str, *path: str) -> Passage:
    held = passage("alder", text)
    return held.model_copy(update={"source": held.source.model_copy(update={"title": title}), "path": path})


def under(title: str, *path: str, told: str = "") -> bool:
    (found,) = sentences(titled(title, "It lasts for centuries under water.", *path))
    return speaks_of("Alder", found, ("Alder", "Oak"), told)


def test_a_title_that_only_holds_the_word_is_about_the_thing_where_its_text_speaks_of_it() -> None:
    """Of "The Quill and the Keyboard", the newsletter, the price of a walk was told as that of the software Quill."""
    assert not under("THE ALDER AND THE ANCHOR")
    assert under("Piles of alder wood", told="Alder is cut in winter.")
    assert not under("Piles of alder wood", told="It is cut in winter.")


def test_of_several_headings_the_nearest_that_names_a_thing_counts() -> None:
    assert under("Alder and oak", "Woods", "Alder")
    assert under("Alder", "Where it grows")
    assert not under("Alder", "The oak beside it")


@pytest.mark.parametrize(
    ("thing", "text", "expected"),
    [
        ("gels", "A gel left no residue.", True),
        ("gel", "Gels left no residue.", True),
        ("LLaDA", "LLaDA-8B is slow.", True),
        ("LLaDA", "d3LLM-LLaDA-8B is fast.", False),
        ("AIDS", "First aid was given.", False),
        ("gas", "They go.", False),
        ("ferries", "The old ferry sank.", True),
        ("glass kiln", "Two glass kilns burn.", True),
        ("press", "Both presses run.", True),
        ("glass", "A glas house.", False),
    ],
)
def test_a_text_names_one_or_several_of_a_kind(thing: str, text: str, expected: bool) -> None:
    assert names_thing(text, thing) is expected
