"""The golden table of version skew: the verdict of every run of a few designs.

    python -m tests.measure.golden_skew

writes tests/golden/skew.csv again; read the diff before you commit it.
"""

from pathlib import Path

from workbench.features import choose
from workbench.measure.skew.table import rows
from workbench.measure.variants import variants
from workbench.present.records import as_csv

TESTS = Path(__file__).resolve().parents[1]
GOLDEN = TESTS / "golden" / "skew.csv"
THIRD = f"{TESTS / 'protocols' / 'data' / 'third.py'}:RegisterArray"
DESIGNS = ("generic", "generic+carry-registry", "per_feature", THIRD)
COLUMNS = ("protocol", "part", "combination", "feature", "verdict", "why", "fates", "failures")


def found():
    """Return the rows of all designs."""
    return rows(variants(DESIGNS), choose())


def as_golden(table):
    return as_csv([row._asdict() for row in table], COLUMNS)


if __name__ == "__main__":
    GOLDEN.write_text(as_golden(found()))
    print(f"wrote {GOLDEN}")
