"""`python -m palimpsest.retrieval.http check FILE`: a verdict for each address of a table, without a network."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .check import verdicts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.retrieval.http", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="JSON lines with id, url and, where they matter, dns and chain")
    check.add_argument("file", type=Path)
    check.add_argument("--operator", action="append", default=[], help="an address whose origin the operator has set")
    given = parser.parse_args()
    try:
        for verdict in verdicts(given.file, frozenset(given.operator)):
            print(json.dumps(verdict, ensure_ascii=False))
    except (OSError, ValueError) as error:
        print(f"palimpsest.retrieval.http: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
