"""Who is next, and who is refused: a line without threads, whose seconds are told by hand."""

from __future__ import annotations

import pytest

from palimpsest.dlm_core.serving.line import Entry, Line, OverloadedError, Ticket


def joined(line: Line[Entry], client: str, count: int = 1, kind: str = "", size: int = 0) -> list[Entry]:
    entries = [Entry(Ticket(client, kind, size)) for _ in range(count)]
    for entry in entries:
        assert line.join(entry) is None
    return entries


def served(line: Line[Entry], turns: int, seconds: float = 1.0) -> list[Entry]:
    """Serve the first in line, so many times."""
    found = []
    for _ in range(turns):
        found.append(line.order()[0])
        line.charge(found[-1], seconds)
    return found


def test_clients_take_turns_whatever_they_ask() -> None:
    line: Line[Entry] = Line(20, 60)
    many = joined(line, "a", 6)
    (one,) = joined(line, "b")
    turns = served(line, 8)
    assert turns.count(one) == 4
    assert {turns.count(m) for m in many} == {0, 1}
    assert [e.ticket.client for e in line.order()[:3]] == ["a", "b", "a"]


def test_the_jobs_of_one_client_take_turns() -> None:
    line: Line[Entry] = Line(20, 60)
    jobs = joined(line, "a", 3)
    turns = served(line, 6)
    assert [turns.count(j) for j in jobs] == [2, 2, 2]


def test_who_comes_late_is_next_but_not_for_ever() -> None:
    """A newcomer begins where the least served stands: it does not wait for what the others had, nor do they for it."""
    line: Line[Entry] = Line(20, 60)
    (old,) = joined(line, "a")
    served(line, 100)
    (late,) = joined(line, "b")
    (sibling,) = joined(line, "a")
    turns = served(line, 8)
    assert turns.count(late) == 4
    assert turns.count(old) == turns.count(sibling) == 2


def test_the_line_holds_so_many() -> None:
    line: Line[Entry] = Line(3, 60)
    first, *_ = joined(line, "a", 3)
    with pytest.raises(OverloadedError, match="3 requests are here already"):
        line.join(Entry(Ticket("a")))
    with pytest.raises(OverloadedError):
        line.check("a")
    line.leave(first)
    line.leave(first)
    line.check("a")
    joined(line, "a")
    assert len(line) == 3


def test_a_full_line_lets_in_who_has_less() -> None:
    """The youngest that was not begun leaves for a client that has fewer; what was begun, and equals, stay."""
    line: Line[Entry] = Line(4, 60)
    greedy = joined(line, "a", 4)
    line.charge(greedy[3], 0.1)
    assert line.join(Entry(Ticket("b"))) is greedy[2]
    assert len(line) == 4
    with pytest.raises(OverloadedError):  # three of a, one of b: with one more b would have two, a two
        line.check("a")
    assert line.join(Entry(Ticket("b"))) is greedy[1]
    with pytest.raises(OverloadedError):
        line.join(Entry(Ticket("b")))
    with pytest.raises(OverloadedError):
        line.join(Entry(Ticket("a")))


def test_what_is_expected_to_take_too_long_is_refused() -> None:
    """The first of a kind is let in unseen; when it is known what they need, no more work waits than there is patience for."""
    line: Line[Entry] = Line(100, 10)
    (first,) = joined(line, "a", kind="heavy", size=500)
    line.charge(first, 5.0)
    line.leave(first)
    line.learn(first)
    heavy = joined(line, "a", 2, "heavy", 600)
    assert line.waits == pytest.approx(12)
    with pytest.raises(OverloadedError, match="12 seconds") as raised:
        line.join(Entry(Ticket("a", "light")))
    assert raised.value.seconds == pytest.approx(6)
    line.charge(heavy[0], 4.0)
    assert line.waits == pytest.approx(8)
    joined(line, "a", kind="light", size=10**6)  # nothing is known of these


def test_what_is_expected_follows_what_was() -> None:
    line: Line[Entry] = Line(100, 60)
    for seconds in (1.0, 3.0):
        (job,) = joined(line, "a", kind="k", size=10)
        line.charge(job, seconds)
        line.leave(job)
        line.learn(job)
    assert line.rates["k"] == pytest.approx(0.2)
