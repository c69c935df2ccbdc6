"""Tidy tables: one row per (protocol, event, metric), with value and unit in separate columns.

A count and a cost never share a unit, and every row says which engine its value comes from, so that rows of
different runs, engines and protocols can be put into one table and taken apart again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas

ENGINE = "simulate"

#: Called with (runs done, runs in total), so that a caller can show progress.
Progress = Callable[[int, int], None]


class Row(NamedTuple):
    """One measured value. ``value`` is None where it is unknown, a word where ``unit`` is "word"."""

    protocol: str
    event: str
    metric: str
    value: int | str | None
    unit: str
    engine: str
    vcpus: int
    features: str  #: comma separated names, or "all"


COLUMNS = Row._fields


def rows_in(table: pandas.DataFrame | list[Row]) -> list[Row]:
    """Return the rows of a tidy frame, whatever columns it has besides; a list of rows is returned itself."""
    if isinstance(table, list):
        return table
    return [Row(*row) for row in table[list(COLUMNS)].astype(object).itertuples(index=False, name=None)]


def frame(rows: Iterable[Row]) -> pandas.DataFrame:
    """Return ``rows`` as a tidy frame with the columns COLUMNS; ``value`` keeps ints, words and None apart."""
    import pandas

    table = pandas.DataFrame(list(rows), columns=list(COLUMNS))
    # Without this a column of ints with one None in it would become floats.
    table["value"] = pandas.Series([row.value for row in rows], dtype=object) if len(table) else None
    return table


def pivot(table: pandas.DataFrame, metric: str) -> pandas.DataFrame:
    """Return one metric as a table of events (rows) by protocols (columns), both in their order of appearance."""
    chosen = table[table["metric"] == metric]
    wide = chosen.pivot(index="event", columns="protocol", values="value")
    return wide.reindex(index=chosen["event"].unique(), columns=chosen["protocol"].unique())
