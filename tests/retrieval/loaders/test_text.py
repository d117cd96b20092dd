"""Plain text as people write it: wrapped lines, lists, columns, underlined headings."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import load
from palimpsest.retrieval.loaders.limits import Limits
from palimpsest.retrieval.types import RetrievalError
from tests.retrieval.loaders.makers import kinds, lines, records, write


def test_wrapped_lines_are_one_paragraph(tmp_path: Path) -> None:
    """A hard-wrapped file was once quoted by half sentences."""
    text = (
        "The water authority of Lindau operates eleven pump-\ning stations, of which the largest stands at the village\n"
        "of Schachten and was paid for by the state of Vorarl-\nberg in 1988.\n\nA second sluice followed in 1991.\n"
    )
    found = load(write(tmp_path, "a.txt", text))
    assert found.text == (
        "The water authority of Lindau operates eleven pumping stations, of which the largest stands at the village of Schachten "
        "and was paid for by the state of Vorarlberg in 1988.\n\nA second sluice followed in 1991."
    )


def test_short_lines_stay_apart(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.txt", "Ines Vale\nHarbour Road 4\n39042 Brixen\n"))
    assert lines(found) == ["Ines Vale", "Harbour Road 4", "39042 Brixen"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("What a lock costs the town\n\nRepairs cost 400 euros.\n", ("heading", "What a lock costs the town")),
        ("The lock costs 400 euros.\n\nRepairs are cheap.\n", ("paragraph", "The lock costs 400 euros.")),
        ("the lock is shut\n\nno boats today\n", ("paragraph", "the lock is shut")),  # a person who sets no marks
        ("What a lock costs the town\nRepairs cost 400 euros.\n", ("paragraph", "What a lock costs the town")),
        ("Lock: Orta\n\nRepairs cost 400 euros.\n", ("paragraph", "Lock: Orta")),
        ("What a lock costs the town\n", ("paragraph", "What a lock costs the town")),
    ],
)
def test_a_first_line_by_itself_is_the_title(tmp_path: Path, text: str, first: tuple[str, str]) -> None:
    path = tmp_path / "costs.txt"
    path.write_text(text)
    found = load(path)
    block = found.blocks[0]
    assert (block.kind, found.text[block.start : block.end]) == first
    assert found.source.title == (first[1] if first[0] == "heading" else "costs")


def test_a_title_beyond_a_limit_is_an_error_of_ours(tmp_path: Path) -> None:
    path = write(tmp_path, "costs.txt", "What a lock costs the town\n\nRepairs cost 400 euros.\n")
    with pytest.raises(RetrievalError, match="holds no text"):
        load(path, limits=Limits(characters=10))


def test_lists_headings_and_keys(tmp_path: Path) -> None:
    text = (
        "Starting the pump\n=================\n\n1. Open the inlet\n   valve.\n2) "
        "Push.\n- Wait\n\nApplicant: Renate Falk\nSum: 12,500 euros\n\n# no heading\n"
    )
    found = load(write(tmp_path, "a.txt", text))
    assert kinds(found) == ["heading", "item", "item", "item", "field", "field", "paragraph"]
    assert lines(found, "item") == ["1. Open the inlet valve.", "2) Push.", "Wait"]
    assert records(found) == [{"Applicant": "Renate Falk"}, {"Sum": "12,500 euros"}]
    assert found.blocks[1].path == ("Starting the pump",)


@pytest.mark.parametrize("gap", ["\t", "    "])
def test_columns_are_a_table(tmp_path: Path, gap: str) -> None:
    rows = [["Station", "Rain", "Sun"], ["Harbour", "40", "180"], ["Hill", "62", "150"]]
    found = load(write(tmp_path, "a.txt", "\n".join(gap.join(row) for row in rows)))
    assert records(found) == [
        {"Station": "Harbour", "Rain": "40", "Sun": "180"},
        {"Station": "Hill", "Rain": "62", "Sun": "150"},
    ]


def test_strokes_are_a_table(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.txt", "| Part | Price |\n|------|-------|\n| Bolt | 2.10 |\n| Nut | 1.05 |"))
    assert records(found)[1] == {"Part": "Nut", "Price": "1.05"}


def test_a_line_of_capitals_heads_what_follows_it(tmp_path: Path) -> None:
    """Such a line was run into its paragraph, and made of wrapped lines paragraphs that broke off in the middle of a sentence."""
    text = (
        "The mole\n\nTOLLS AND FEES\nThe toll on salt was paid in silver at the bridge by every barge, as\n"
        "it had been for a hundred years before the flood came down the valley\nand took it.\n\nAFTER THE FLOOD\n\nThe mole fell.\n\n"
        "SALT TRADE CO.\nQUAY STREET\n\nPAID"
    )
    found = load(write(tmp_path, "a.txt", text))
    said = [(b.kind, b.level, found.text[b.start : b.end][:16]) for b in found.blocks]
    assert said == [
        ("heading", 1, "The mole"),
        ("heading", 2, "TOLLS AND FEES"),
        ("paragraph", 0, "The toll on salt"),
        ("heading", 2, "AFTER THE FLOOD"),
        ("paragraph", 0, "The mole fell."),
        ("paragraph", 0, "SALT TRADE CO."),
        ("paragraph", 0, "QUAY STREET"),
        ("paragraph", 0, "PAID"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "VIN: WDB1234567\nColour: red\nSeats: 4",
        "SALT 12 CROWNS\nbread 3 crowns",
        "UNESCO\nlisted the mole.",
        "TOTAL: 12,000 CROWNS",
        "PAID.",
    ],
)
def test_capitals_that_go_on_or_name_a_field_head_nothing(tmp_path: Path, text: str) -> None:
    found = load(write(tmp_path, "a.txt", f"The mole is long.\n\n{text}\n\nIt is old."))
    assert "heading" not in [b.kind for b in found.blocks]


MINUTES = "TOLLEN TOWN COUNCIL\nLIBRARIES COMMITTEE\nMinutes, 16 November 2021, Guildhall, Room 2"
HEADS = {
    MINUTES: ("TOLLEN TOWN COUNCIL – LIBRARIES COMMITTEE – Minutes, 16 November 2021", "2021-11-16"),
    "TOLLEN LIBRARY\nMinutes of 3 May 2022": ("TOLLEN LIBRARY – Minutes of 3 May 2022", "2022-05-03"),
    "TOLLEN LIBRARY\nLENDING: A GUIDE FOR READERS\nEdition of May 2022": (
        "TOLLEN LIBRARY – LENDING: A GUIDE FOR READERS",
        "2022-05",
    ),
    "TOLLEN LIBRARY\nMinutes of the 31st meeting, held in the Guildhall\nMonday 2 May 2022": (
        "TOLLEN LIBRARY – Minutes of the 31st meeting",
        "2022-05-02",
    ),
    "PAGEWATCH\nThe newsletter of the Tollen readers\nMay 2022": ("PAGEWATCH", "2022-05"),  # what describes a title
    "LATE FEES IN SIX BRANCHES: A SUMMARY\nTollen Library\nDate: 3 July 2022": (
        "LATE FEES IN SIX BRANCHES: A SUMMARY",
        "2022-07-03",
    ),
    "LATE FEES\nDATE: 3 JULY 2022": ("LATE FEES", "2022-07-03"),
    '"I read at night. Only then."\nA talk with Ana Quist, reader\n\nTollen Quarterly, Summer 2022\nWords: Tom Berg': (
        '"I read at night. Only then."',
        "2022",
    ),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_text_is_called_by_what_it_is_and_dated_by_its_head(tmp_path: Path, head: str) -> None:
    """Minutes were called by the name of the council, and those of the second line in capitals had no date."""
    found = load(write(tmp_path, "a.txt", f"{head}\n\nReaders borrowed 400 books. They liked it."))
    assert (found.source.title, found.source.date) == HEADS[head]
    assert kinds(found)[0] == "heading"
    assert set(kinds(found)[1:-1]) == {"byline"}
    assert lines(found, "paragraph") == ["Readers borrowed 400 books. They liked it."]


def test_a_memo_is_called_by_its_subject(tmp_path: Path) -> None:
    memo = "MEMO\nFrom: Tom Berg\nTo: Ana Quist\nDate: 9 May 2022\nSubject: Late fees\n\n1. Fees rose. They fell later."
    found = load(write(tmp_path, "a.txt", memo))
    assert (found.source.title, found.source.date) == ("Late fees", "2022-05-09")
    assert kinds(found) == ["heading", *["field"] * 4, "item"]
    lesson = "Teacher: Ana Quist\nSubject: Reading\n\nShe reads aloud. Children listen."
    assert load(write(tmp_path, "b.txt", lesson)).source.title == "b", "what a sheet calls a subject is no letter's"


SUBHEADED = (
    "Lending in Tollen\n\nWho borrows most\nChildren borrow most. Men borrow least.\n\n2. Fees: late books\n"
    "A late book costs 2 euros.\n\nWhat we lend\n- books\n- maps\n\nHow sure we are\n\nThe counts are of one year."
)


def test_printed_lines_above_paragraphs_head_them(tmp_path: Path) -> None:
    """ "Who borrows most" was quoted as a finding."""
    found = load(write(tmp_path, "a.txt", SUBHEADED))
    heads = ["Lending in Tollen", "Who borrows most", "2. Fees: late books", "What we lend", "How sure we are"]
    assert lines(found, "heading") == heads
    assert lines(found, "paragraph") == [
        "Children borrow most. Men borrow least.",
        "A late book costs 2 euros.",
        "The counts are of one year.",
    ]
    assert found.blocks[2].path == ("Lending in Tollen", "Who borrows most")


def test_lines_that_date_a_text_head_nothing(tmp_path: Path) -> None:
    series = "Tollen Library, leaflet 4\nFirst issued May 2013. Revised, March 2019."
    head = f"TALES FOR CHILDREN\nA guide to reading aloud for all who have them\n\n{series}"
    found = load(write(tmp_path, "a.txt", f"{head}\n\n{SUBHEADED}"))
    assert found.source.date == "2019-03"
    assert "Tollen Library, leaflet 4" not in lines(found, "heading")


WRAPPED = "The toll on lent books was first paid in silver by many\nReaders from other towns and of those who came by the ferry.\n\n"


@pytest.mark.parametrize(
    "text",
    [
        "Who borrows most\nChildren borrow most, and men least.\n\nNobody pays.",  # one alone is no way of setting headings
        WRAPPED + WRAPPED,
        "Ana Quist\nHarbour Road 4\nOpen daily.\n\nTom Berg\nQuay 7\nOpen on Mondays.",
        "Do I pay?\nNo. Books are free.\n\nMay I come?\nYes. All may come.",
        "Milk\nEggs\n\nBread\nSalt",
        "1. Milk\n2. Eggs are sold out.\n\n1. Bread\n2. Salt is dear.",
        "who borrows most\nChildren do.\n\nwho borrows least\nMen do.",
    ],
)
def test_other_lines_head_nothing(tmp_path: Path, text: str) -> None:
    assert "heading" not in kinds(load(write(tmp_path, "a.txt", f"The library is old.\n\n{text}")))


def test_a_title_with_a_comma_and_a_subtitle_is_no_field(tmp_path: Path) -> None:
    head = (
        "Early ice, late boats: ferries and frost on Lake Orta, 1981-2023\n\nInes Vale, Tom Reed, 14 February 2024\n\n"
    )
    found = load(write(tmp_path, "a.txt", head + "Ferries wait for the ice to go. They wait longer than they did.\n"))
    assert found.source.title == "Early ice, late boats: ferries and frost on Lake Orta, 1981-2023"
    assert load(write(tmp_path, "note.txt", "Keeper: Ines Vale\n\nShe keeps the light.\n")).source.title == "note"
