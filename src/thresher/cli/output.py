"""What commands print on stdout: tables, and how numbers are written."""

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

ENDLESS = 100_000
"""Columns of what is no terminal."""


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()
) -> None:
    """Print a table; `numbers` are the columns that are aligned to the right.

    On a terminal long cells are folded to its width; in a pipe or a file every row is one line,
    however long, so that nothing is cut and `grep` finds it.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _print(table)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, values aligned."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for fact in facts:
        table.add_row(*fact)
    _print(table)


def percent(share: float | None) -> str:
    """Write a share as a percentage; a dash where it is not known."""
    return "-" if share is None else f"{100 * share:.2f} %"


def count(number: float | None) -> str:
    """Write a count, or a mean of counts, with as many places as it needs; a dash for None."""
    if number is None:
        return "-"
    return f"{number:,.0f}" if number == int(number) or number >= 1000 else f"{number:,.2f}"


def short(number: float) -> str:
    """Write a large number with three digits and the unit's prefix: 49.2 M."""
    for prefix, unit in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= unit:
            return f"{number / unit:.3g} {prefix}"
    return f"{number:.3g}"


def _print(table: Table) -> None:
    width = None if sys.stdout.isatty() else ENDLESS
    console = Console(width=width, markup=False, highlight=False, emoji=False)
    if sys.stdout.isatty():
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())
