import itertools

import pytest

from palimpsest.dlm_core.kinds import MaskKind, SlotSpec, kind_of, typed_spans


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It ended on 10 June 2025.", [("10 June 2025", "NUMBER")]),
        ("They run LLaDA 1.5 here.", [("LLaDA 1.5", "ENTITY")]),
        ("They say that dInfer is used.", [("dInfer", "ENTITY")]),
        ("It makes 1,288 of them.", [("1,288", "NUMBER")]),
        ("In 1985, John of Gaunt rose.", [("1985", "NUMBER"), ("John of Gaunt", "ENTITY")]),
        ("The cost is $12 million.", [("$12 million", "NUMBER")]),
        ("About 10 people came.", [("10", "NUMBER")]),
        ("Around 1905 Karl Benz left.", [("1905", "NUMBER"), ("Karl Benz", "ENTITY")]),
        ("Émile Zola saw Łódź with Владимир.", [("Émile Zola", "ENTITY"), ("Łódź", "ENTITY"), ("Владимир", "ENTITY")]),
        ("nothing to see", []),
    ],
)
def test_typed_spans(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(text[a:b], k.name) for a, b, k in typed_spans(text) if k is not MaskKind.LOGIC] == expected


def test_spans_are_disjoint_and_in_order() -> None:
    text = "At least 3 of the 27.6x claims of Fast-dLLM v1 from May 2025 are not for LLaDA-8B."
    spans = typed_spans(text)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert {k.name for _, _, k in spans} == {"ENTITY", "NUMBER", "LOGIC"}


def test_kind_of_an_answer() -> None:
    assert [kind_of(a).name for a in ("1,288", "Gustave Eiffel", "a red door")] == ["NUMBER", "ENTITY", "TEXT"]


def test_a_slot_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="FIXED"):
        SlotSpec(MaskKind.FIXED)
    with pytest.raises(ValueError, match="CHOICE"):
        SlotSpec(MaskKind.CHOICE)
    with pytest.raises(ValueError, match="CHOICE"):
        SlotSpec(MaskKind.TEXT, allowed=("[YES]",))


def test_what_is_remembered_of_a_text_is_nobodys_to_change() -> None:
    """One sentence is looked at again and again, so its places are remembered; each caller has a list of its own."""
    first = typed_spans("Orta built 3 barges.")
    before = list(first)
    first.clear()
    assert typed_spans("Orta built 3 barges.") == before
