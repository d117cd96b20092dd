"""Folders of documents as people have them, each with questions and what is right; all of it was written for these tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import xlsxwriter

from tests.retrieval.loaders.makers import at, docx_bytes, paragraph, pdf_pages

OPEN = ""  # nothing answers; the report says why


class Case(NamedTuple):
    """`right` stands in the answer, or, where that is open, nowhere; `wrong` must not stand in it."""

    folder: str
    question: str
    right: tuple[str, ...]
    wrong: tuple[str, ...] = ()


def text(content: str) -> Callable[[], bytes]:
    return lambda: content.encode()


def table(*rows: str) -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row.split("|")) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def heading(words: str) -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>'


def fleet() -> bytes:
    rows = table(
        "Boat|Class|Length|Crew|Built", "Orla|Trawler|24 m|6|1988", "Petrel|Trawler|31 m|9|1975", "Signe|Tug|19 m|4|2003",
        "Vesper|Ferry|58 m|14|1996",
    )  # fmt: skip
    return docx_bytes(
        heading("Boats of the harbour of Maldon") + paragraph("All boats are inspected each spring.") + rows
    )


def books() -> bytes:
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data)
    money, share, day = (book.add_format({"num_format": f}) for f in ("#,##0.00 €", "0.0%", "yyyy-mm-dd"))
    sheet = book.add_worksheet("Shops")
    for row, values in enumerate(
        [("Shop", "Town", "Takings", "Margin", "Opened"), ("Fern", "Ulm", 18250.5, 0.125, 36892), ("Moss", "Ulm", 9800, 0.08, 39448),
         ("Reed", "Trier", 27400, 0.21, 42005)]
    ):  # fmt: skip
        for column, value in enumerate(values):
            sheet.write(row, column, value, {2: money, 3: share, 4: day}.get(column) if row else None)
    book.close()
    return data.getvalue()


def steps() -> bytes:
    numbers = "<w:numbering xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'>" + (
        "<w:abstractNum w:abstractNumId='0'><w:lvl w:ilvl='0'><w:start w:val='1'/><w:numFmt w:val='decimal'/>"
        "<w:lvlText w:val='%1.'/></w:lvl>"
        "</w:abstractNum><w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num></w:numbering>"
    )
    said = ("Fill the kettle.", "Warm the pot.", "Add two spoons of leaves.", "Steep for four minutes.")
    items = "".join(
        f'<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>{s}</w:t></w:r></w:p>'
        for s in said
    )
    return docx_bytes(heading("Making tea") + items, parts={"word/numbering.xml": numbers})


def paper() -> bytes:
    """A table set in columns on a PDF page."""
    rows = [
        ("Route", "Distance", "Fare"),
        ("Alder", "12 km", "3.40 euros"),
        ("Birch", "31 km", "7.10 euros"),
        ("Cedar", "8 km", "2.20 euros"),
    ]
    lines = [
        at(72, 720, "Fares of the valley railway", 16),
        at(72, 690, "The fares hold from May. They are paid on the train."),
    ]
    for number, row in enumerate(rows):
        lines += [at(72 + 120 * column, 640 - 20 * number, cell) for column, cell in enumerate(row)]
    return pdf_pages([" ".join(lines)])


FOLDERS: dict[str, dict[str, Callable[[], bytes]]] = {
    "orchard": {"trees.csv": text(
        "Tree;Sort;Planted;Yield 2022;Yield 2023\nA1;Apple;1998;140 kg;152 kg\nA2;Apple;2004;97 kg;88 kg\n"
        "P1;Pear;1991;210 kg;175 kg\nP2;Pear;2010;64 kg;71 kg\nQ1;Quince;2015;31 kg;35 kg\n")},
    "titles": {"visits.csv": text(
        "Visitors of the museums,,\n\"Source: town hall, Arles\",,\n,,\nMuseum,Adults,Children\nClock museum,\"1,240\",\"310\"\n"
        "Salt museum,\"980\",\"415\"\nToy museum,\"2,105\",\"1,990\"\n")},
    "harbour": {"boats.docx": fleet},
    "shops": {"shops.xlsx": books},
    "tea": {"tea.docx": steps},
    "railway": {"fares.pdf": paper},
    "page": {"halls.html": text(
        "<html><head><title>Halls for hire in Wexcombe</title></head><body><h1>Halls for hire in Wexcombe</h1><table>"
        "<tr><th rowspan=2>Hall</th><th colspan=2>Price</th><th rowspan=2>Seats</th></tr><tr><th>Morning</th><th>Evening</th></tr>"
        "<tr><td>Great hall</td><td>90 euros</td><td>150 euros</td><td>220</td></tr>"
        "<tr><td>Blue room</td><td>35 euros</td><td>60 euros</td><td>40</td></tr>"
        "<tr><td>Loft</td><td>20 euros</td><td>45 euros</td><td>25</td></tr></table></body></html>")},
    "records": {"members.json": text(
        '[{"member": "Ana Ruiz", "section": "Rowing", "joined": "2019-03-04", "fee": 120},'
        '{"member": "Ben Okoro", "section": "Chess", "joined": "2015-09-21", "fee": 60},'
        '{"member": "Cleo Hart", "section": "Rowing", "joined": "2022-06-30", "fee": 150}]')},
    "lakes": {"lakes.md": text(
        "# Lakes of the Arven valley\n\n| Lake | Area (km²) | Depth (m) | Owner |\n|---|---|---|---|\n"
        "| Mirel | 4.2 | 31 | Parish of Tolm |\n"
        "| Oststad | 11.8 | 76 | State |\n| Pell | 0.9 | 12 | Parish of Tolm |\n\nThe lakes freeze from December on.\n")},
    "ovens": {"test.md": text(
        "# Ovens of the bakers' guild measured\n\n## Results\n\n| Measure | Vulcan 4 | Ember |\n|---|---|---|\n"
        "| Heating time, one loaf | 12 min | 9 min |\n| Heating time, full oven | 31 min | 38 min |\n| Loaves at once | 96 | 60 |\n\n"
        "The Vulcan 4 needs a stone floor.\n"),
              "letter.md": text(
        "# THE EMBER AND THE CRUMB\n\nLetter to the members of the guild\n\nThe heating of the hall takes a long time on Mondays. "
        "The evening on bread prices costs members nothing.\n"),
              "stock.csv": text(
        "oven,price_eur,heat_loss_2023_pct,first_sold\nVulcan 4,18900,11.5,2019-04\nEmber,7400,17.2,2021-10\n"
        "Hob 2,3100,24.9,2016-02\n")},
    "cold": {"log.txt": text(
        "The reading in the seed vault is -17.2 °C. The deficit of the winter was -4,1 Mio. CHF, after +0,7 Mio. CHF in summer.\n")},
    "crossing": {"a.md": text("---\ntitle: Guide A\ndate: 2015-05-01\n---\nThe walk to the Kettle rock takes 3 hours.\n"),
                 "b.md": text("---\ntitle: Guide B\ndate: 2023-05-01\n---\nThe walk to the Kettle rock takes 110 minutes.\n")},
    "tower": {"a.md": text("---\ntitle: Survey\ndate: 2012-01-01\n---\nThe Brannock tower is 984 feet high.\n"),
              "b.md": text("---\ntitle: Atlas\ndate: 2020-01-01\n---\nThe Brannock tower is 300 m high.\n")},
    "wells": {"levels.csv": text(
        "Day,Level (cm),Visitors\n2023-11-30,212,18\n2023-12-01,230,25\n2024-01-05,198,31\n2024-01-06,201,12\n"),
              "note.md": text("The well drew 4,700 visitors in its first year.\n")},
    "toll": {f"{year}.md": text(
        f"---\ntitle: Tariff {year}\ndate: {year}-02-01\n---\nThe bridge toll of Quarn is {price} euros a car.\n")
             for year, price in ((2016, "1.80"), (2020, "2.30"), (2024, "2.90"))},
    "choir": {"one.txt": text("Minutes of 4 March. Greta Lund joined the Alto choir.\n"),
              "two.txt": text("Minutes of 8 April. Omar Said joined the Alto choir.\n"),
              "three.txt": text("Minutes of 6 May. Piet Vos joined the Alto choir. Ida Falk left the Alto choir.\n"),
              "town.md": text("# Town of Selm\n\nThe town has 9,600 inhabitants and four bakeries: Ost, West, Kern and Rand.\n")},
    "stove": {"manual.txt": text("Manual of the Brill stove. The stove weighs 92 kg. It burns wood and peat.\n")},
    "german": {"turm.txt": text("Der Turm von Hagen wurde 1911 von Käthe Brügge entworfen. Er ist 38 Meter hoch.\n" * 4)},
    "lease": {"lease.txt": text(
        "The lease of Garage 7. The deposit is two months' rent for Garage 7. The notice period is five weeks.\n")},
    "years": {"staff2022.csv": text("Name,Desk,Pay\nIda Falk,A4,2900\nJon Moe,B1,3100\n"),
              "staff2024.csv": text("Name,Desk,Pay\nIda Falk,C2,3300\nJon Moe,B1,3400\n")},
}  # fmt: skip

CASES = [
    Case("orchard", "What was the yield of A2 in 2022?", ("97 kg",), ("88", "140")),
    Case("orchard", "What was the yield of tree P2 in 2023?", ("71 kg",), ("64",)),
    Case("orchard", "Which tree had the highest yield in 2023?", ("P1",), ("A1",)),
    Case("orchard", "Which tree had the lowest yield in 2022?", ("Q1",)),
    Case("orchard", "List all apple trees.", ("A1", "A2"), ("P1", "Q1")),
    Case("orchard", "How many pear trees are there?", ("2",)),
    Case("orchard", "What was the total yield in 2022?", ("542 kg",)),
    Case("orchard", "What was the average yield of the pear trees in 2023?", ("123 kg",)),
    Case("orchard", "Which tree was planted first?", ("P1",), ("A1", "Q1")),
    Case("orchard", "What was the yield of B9 in 2023?", (OPEN,)),
    Case("orchard", "What was the yield of A2 in 2021?", (OPEN,)),
    Case("titles", "How many children came to the Salt museum?", ("415",), ("980", "310")),
    Case("titles", "How many adults visited the Toy museum?", ("2,105",), ("1,990",)),
    Case("titles", "Which museum had the most children?", ("Toy museum",)),
    Case("titles", "How many adults came in total?", ("4,325",)),
    Case("harbour", "What is the length of the Petrel?", ("31 m",), ("24 m",)),
    Case("harbour", "How many crew does the Signe have?", ("4",), ("14", "9")),
    Case("harbour", "Which boat is the longest?", ("Vesper",), ("Petrel",)),
    Case("harbour", "List all trawlers of the harbour of Maldon.", ("Orla", "Petrel"), ("Signe", "Vesper")),
    Case("harbour", "When was the Vesper built?", ("1996",), ("2003",)),
    Case("harbour", "Which boats were built before 1990?", ("Orla", "Petrel"), ("Signe", "Vesper")),
    Case("harbour", "What is the length of the Aurora?", (OPEN,)),
    Case("shops", "What were the takings of the shop Reed?", ("27,400",), ("9,800",)),
    Case("shops", "What is the margin of Fern?", ("12.5%",)),
    Case("shops", "When did Moss open?", ("2008-01-01",)),
    Case("shops", "Which shops are in Ulm?", ("Fern", "Moss"), ("Reed",)),
    Case("tea", "What is the second step of making tea?", ("Warm the pot",), ("kettle",)),
    Case("tea", "What is step 4 of making tea?", ("Steep for four minutes",)),
    Case("railway", "What is the fare of the Birch route?", ("7.10 euros",), ("3.40", "2.20")),
    Case("railway", "What is the distance of the route Cedar?", ("8 km",), ("31",)),
    Case("ovens", "What is the price of the Ember?", ("7400",), ("18900",)),
    Case("ovens", "What was the heat loss of the Hob 2 in 2023?", ("24.9",), ("2016", "3100")),
    Case("page", "What does the Blue room cost in the evening?", ("60 euros",), ("35", "150")),
    Case("page", "How many seats does the Loft have?", ("25",), ("40",)),
    Case("page", "Which hall has the most seats?", ("Great hall",)),
    Case("records", "What is the fee of Ben Okoro?", ("60",), ("120", "150")),
    Case("records", "Who are the members of the rowing section?", ("Ana Ruiz", "Cleo Hart"), ("Ben",)),
    Case("records", "Who joined last?", ("Cleo Hart",), ("Ben", "Ana")),
    Case("lakes", "How deep is lake Pell?", ("12",), ("31", "76")),
    Case("lakes", "Who owns lake Oststad?", ("State",), ("Parish",)),
    Case("lakes", "Which lake is the deepest?", ("Oststad",)),
    Case("cold", "What is the reading in the seed vault?", ("-17.2 °C",)),
    Case("cold", "How large was the deficit of the winter?", ("-4,1 Mio. CHF",)),
    Case("crossing", "How long does the walk to the Kettle rock take?", ("110 minutes",), ("hours",)),
    Case("toll", "What is the bridge toll of Quarn as of 2018?", ("1.80",), ("2.30", "2.90")),
    Case("toll", "What was the bridge toll of Quarn in 2021?", ("2.30",), ("1.80", "2.90")),
    Case("choir", "List all members of the Alto choir.", (OPEN,)),
    Case("choir", "How many people joined the Alto choir?", (OPEN,)),
    Case("choir", "How many bakeries are there in Selm?", ("four",), ("9,600",)),
    Case("stove", "How long is the warranty of the Brill stove?", (OPEN,)),
    Case("german", "Wer hat den Turm von Hagen entworfen?", (OPEN,)),
    Case("wells", "How many visitors came on 5 January 2024?", ("31",), ("4,700", "12")),
    Case("wells", "What was the level on December 1, 2023?", ("230",)),
    Case("lease", "What is the deposit for Garage 7?", ("two months' rent",)),
    Case("years", "What is the pay of Ida Falk?", (OPEN,)),
    Case("years", "What is the desk of Jon Moe?", ("B1",)),
]  # fmt: skip


def lay(folder: Path, name: str) -> Path:
    """The files of one of FOLDERS, written below `folder`."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    for file, content in FOLDERS[name].items():
        (place / file).write_bytes(content())
    return place
