"""The golden table of fates: the fate of every area in every event under every protocol, with 4 vCPUs.

``python -m tests.lifecycle.fates`` rewrites tests/golden/fates.csv; read the difference before you commit it.
"""

from collections import Counter
from pathlib import Path

from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.present import records
from workbench.protocols import FIRST, PROTOCOLS

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "fates.csv"
VCPUS = 4
COLUMNS = ("protocol", "event", "feature", "fate", "areas")

Row = tuple[str, str, str, str, int]


def rows() -> list[Row]:
    """Return one row for each of the first protocols, event, feature and fate, in the order of the registries."""
    features = choose()
    found: list[Row] = []
    for protocol, kind in ((name, PROTOCOLS[name]) for name in FIRST):
        for event in EVENTS.values():
            run = simulate(Scenario(kind(features), features, vcpus=VCPUS), event)
            counted = Counter((feature, fate.value) for (_, feature), fate in run.fates.items())
            found += [(protocol, event.name, feature, fate, areas) for (feature, fate), areas in counted.items()]
    return found


def as_csv(table: list[Row]) -> str:
    """Return the table as CSV text with a header line."""
    return records.as_csv([dict(zip(COLUMNS, row, strict=True)) for row in table])


if __name__ == "__main__":
    GOLDEN.write_text(as_csv(rows()))
    print(f"wrote {GOLDEN}")
