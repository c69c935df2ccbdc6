"""What the repairs of each design mend, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.measure import compare, pivot, variants
from workbench.measure.exploration.mitigations import mitigated
from workbench.measure.variants import Variant
from workbench.present.slides.ideas.failures import DESIGNS, EVENTS, searched
from workbench.present.slides.slide import Slide
from workbench.present.slides.words import Cell, table

VCPUS = 64


def slide() -> Slide:
    """Search the same events with every mitigation, and measure what the designs cost before and after."""
    bare = variants(DESIGNS)
    pairs = list(zip(bare, mitigated(bare, ["all"]), strict=True))
    before, after = (searched(repaired=repaired) for repaired in (False, True))
    fails = [len(found.failing(design)) for design in DESIGNS for found in (before, after)]
    prices = _prices([one for pair in pairs for one in pair])
    rows = [(name, _words(values)) for name, values in {"failures found": fails, **prices}.items()]
    exits, interfaces = prices["exits at boot"], prices["interfaces that no kernel has yet"]
    return Slide(
        "What do repairs mend, and what do they cost?",
        table(f"all mitigations of each design; prices of {VCPUS} vCPUs",
              [name for design in DESIGNS for name in (design, "repaired")], rows),
        f"Repaired, generic keeps {fails[1]} failures and per_feature {fails[3]}; generic takes {exits[1] - exits[0]} "
        f"exits more at boot, and needs {interfaces[1]} interface that every VMM has to learn.",
        f"workbench matrix --mitigations all --events {','.join(EVENTS)}",
    )  # fmt: skip


def _prices(designs: Sequence[Variant]) -> dict[str, list[int]]:
    """Return what each design costs, by the name of a price."""
    run = compare(designs, ["boot", "kexec"], vcpus=VCPUS)
    exits, state, carried, new = (
        pivot(run, name) for name in ("exits", "state_bytes", "state_carried_bytes", "state_new_interfaces")
    )
    priced = {
        "exits at boot": exits.loc["boot"], "exits at kexec": exits.loc["kexec"],
        "state that a migration loses (bytes)": (state - carried).loc["boot"],
        "interfaces that no kernel has yet": new.loc["boot"],
    }  # fmt: skip
    return {name: [int(row[one.label]) for one in designs] for name, row in priced.items()}


def _words(values: Sequence[int]) -> list[Cell]:
    """Return the values, each second one coloured by whether it is less or more than the one before it."""
    found = []
    for at, value in enumerate(values):
        before = values[at - 1] if at % 2 else value
        found.append(Cell(str(value), "good" if value < before else "warn" if value > before else ""))
    return found
