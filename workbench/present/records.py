"""Flat records for other programs, as JSON and CSV; equal records give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

Record = Mapping[str, Any]


def of_frame(table: pandas.DataFrame) -> list[Record]:
    """Return one record for each row of a tidy table, with plain Python values."""
    columns = list(table.columns)
    plain = table.astype(object).itertuples(index=False, name=None)
    return [dict(zip(columns, row, strict=True)) for row in plain]


def as_json(records: Iterable[Record]) -> str:
    """Return the records as a JSON list, one line each; an unknown value is null."""
    lines = ",\n".join(json.dumps(record, default=_plain) for record in records)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def as_indented_json(value: Any) -> str:
    """Return an object, or a list of records of several shapes, as JSON with every value on a line of its own."""
    return json.dumps(value, indent=1) + "\n"


def as_csv(records: Iterable[Record], columns: Sequence[str] | None = None) -> str:
    """Return a header line and one line for each record; an unknown value is empty.

    ``columns`` defaults to those of the first record; ValueError is then raised for a record that has others.
    """
    rows = list(records)
    text = io.StringIO()
    header = list(rows[0]) if columns is None else columns
    writer = csv.DictWriter(
        text, header, lineterminator="\n", extrasaction="raise" if columns is None else "ignore"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _plain(value: Any) -> Any:
    """Turn a NumPy number into a Python number."""
    return value.item()
