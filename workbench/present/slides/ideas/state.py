"""The state that a migration must carry, and how much of it an interface carries."""

from __future__ import annotations

from workbench.measure import compare, pivot
from workbench.present.figures import figures
from workbench.present.figures.themed import inline
from workbench.present.slides.slide import Slide

DESIGNS = ("generic", "generic+carry-registry", "per_feature")
VCPUS = 64


def slide() -> Slide:
    """Boot a guest of many vCPUs, and look at what its host remembers."""
    table = compare(DESIGNS, ["boot"], vcpus=VCPUS)
    whole, carried = (pivot(table, metric).loc["boot"] for metric in ("state_bytes", "state_carried_bytes"))
    return Slide(
        "What must a migration carry?",
        inline(figures.migration_state(table, size="projector"), "bytes of state of each design, carried and lost"),
        f"Existing interfaces carry {carried['generic']} of the {whole['generic']} bytes of generic's registry, and "
        f"{carried['per_feature']} of the {whole['per_feature']} bytes of per_feature's registers.",
        f"workbench compare --protocols {','.join(DESIGNS)} --events boot --metrics state_bytes,state_carried_bytes",
    )
