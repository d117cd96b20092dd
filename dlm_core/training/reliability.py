"""A picture of how far probabilities can be believed: how often what is said with a probability is right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

BINS = 8
SIDE, MARGIN = 220, 34  # of one square in pixels, and what is left free around it
ABREAST = 3  # squares in a row of the picture
POINTS, PICTURE = "reliability.json", "reliability.svg"
Points = Sequence[tuple[float, float, int]]  # mean belief, share right, cases


@dataclass(frozen=True)
class Curve:
    """What was believed [N] and whether it was right [N], of one kind of question."""

    name: str
    believed: Sequence[float]
    right: Sequence[float]

    def points(self, bins: int = BINS) -> list[tuple[float, float, int]]:
        """(mean belief, share right, cases) of groups of about as many cases, the least believed first."""
        order = sorted(zip(self.believed, self.right, strict=True))
        cuts = [round(n * len(order) / bins) for n in range(bins + 1)]
        groups = [order[a:b] for a, b in pairwise(cuts) if b > a]
        return [(sum(p for p, _ in g) / len(g), sum(r for _, r in g) / len(g), len(g)) for g in groups]


def put(folder: Path, curves: Sequence[Curve]) -> None:
    """Add curves to those drawn beside the weights, in the place of any of the same name: points as JSON, which the workbench draws,
    and the picture of all.
    """
    stored = folder / POINTS
    points = json.loads(stored.read_text()) if stored.exists() else {}
    points |= {c.name: [[round(belief, 2), round(share, 2), n] for belief, share, n in c.points()] for c in curves}
    stored.write_text(json.dumps(points) + "\n")
    (folder / PICTURE).write_text(drawn_as_svg(points))


def drawn_as_svg(points: Mapping[str, Points]) -> str:
    """A square for each name: belief to the right, share right upwards, the diagonal where both are the same."""
    step = SIDE + 2 * MARGIN
    squares = "".join(
        _square(name, found, n % ABREAST * step + MARGIN, n // ABREAST * step + MARGIN)
        for n, (name, found) in enumerate(points.items())
    )
    width, height = step * min(len(points), ABREAST), step * -(-len(points) // ABREAST)
    frame = (
        f'xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11"'
    )
    return f'<svg {frame}><rect width="{width}" height="{height}" fill="white"/>{squares}</svg>\n'


def _square(name: str, points: Points, left: float, top: float) -> str:
    def place(belief: float, share: float) -> str:
        return f"{left + SIDE * belief:.1f},{top + SIDE * (1 - share):.1f}"

    path = " ".join(place(belief, share) for belief, share, _ in points)
    dots = "".join(
        f'<circle cx="{place(b, s).split(",")[0]}" cy="{place(b, s).split(",")[1]}" r="3" fill="#1f5f8b">'
        f"<title>{n} cases: believed {b:.2f}, right {s:.2f}</title></circle>"
        for b, s, n in points
    )
    corners = f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>'
    x1, y1 = place(0, 0).split(",")
    x2, y2 = place(1, 1).split(",")
    diagonal = f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#bbb" stroke-dasharray="4"/>'
    title = f'<text x="{left}" y="{top - 8}">{name}, {sum(n for *_, n in points)} cases</text>'
    axes = (
        f'<text x="{left}" y="{top + SIDE + 14}">0</text><text x="{left + SIDE - 8}" y="{top + SIDE + 14}">1</text>'
        f'<text x="{left + SIDE / 2 - 30}" y="{top + SIDE + 14}">believed</text>'
        f'<text x="{left - 30}" y="{top + SIDE / 2}">right</text>'
    )
    return f'{corners}{diagonal}<polyline points="{path}" fill="none" stroke="#1f5f8b"/>{dots}{title}{axes}'
