"""The tidy table for other programs: JSON and CSV, the same bytes for the same table."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas


def records(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return one dictionary for each row, with plain Python values."""
    columns = list(table.columns)
    plain = table.astype(object).itertuples(index=False, name=None)
    return [dict(zip(columns, row, strict=True)) for row in plain]


def as_json(table: pandas.DataFrame) -> str:
    """Return a list of flat records, one line each; an unknown value is null."""
    lines = ",\n".join(json.dumps(record, ensure_ascii=True, default=_plain) for record in records(table))
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def as_csv(table: pandas.DataFrame) -> str:
    """Return a header line and one line for each row; an unknown value is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(record.values() for record in records(table))
    return text.getvalue()


def _plain(value: Any) -> Any:
    """Turn a NumPy number into Python's."""
    return value.item()
