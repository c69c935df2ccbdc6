"""How often a guest leaves, as laws in the number of vCPUs V."""

from __future__ import annotations

from functools import partial

from workbench.core.outcome import Fate
from workbench.measure.verdict.asked import Asked, Cell, Column
from workbench.measure.verdict.law import LARGE, SIZES, law


def _exits(asked: Asked, *, event: str, metric: str = "exits") -> Cell:
    found = law(lambda vcpus: asked.run(event, vcpus).counts[metric])
    seen = f"{metric} under {event}: {', '.join(map(str, found.counts))} at {', '.join(map(str, SIZES))} vCPUs"
    pieces = (f"--events {event}", f"--metrics {metric}", f"--vcpus {LARGE}")
    return Cell(str(found), found.at_large, seen, asked.command("compare", *pieces))


def per_area(asked: Asked) -> Cell:
    """Exits of a boot for each area that is in force after it."""
    run = asked.run("boot", LARGE)
    areas, exits = run.fates[Fate.REGISTERED], run.counts["exits"]
    command = asked.command("compare", "--events boot", "--metrics exits,areas", f"--vcpus {LARGE}")
    if not areas:
        return Cell("-", None, f"{exits} exits at {LARGE} vCPUs, and no area is in force", command)
    each = exits / areas
    return Cell(f"{each:.2f}".rstrip("0").rstrip("."), each, f"{exits} exits, {areas} areas at {LARGE} vCPUs", command)


COLUMNS = (
    Column("boot", "exits of a boot with V vCPUs", "exits", partial(_exits, event="boot")),
    Column("hotplug", "exits when one more CPU comes up", "exits", partial(_exits, event="cpu-hotplug")),
    Column("kexec", "exits of a kexec", "exits", partial(_exits, event="kexec")),
    Column("user", "exits of a boot that go on to user space", "exits",
           partial(_exits, event="boot", metric="user_exits")),
    Column("per area", "exits of a boot for each area in force", "exits", per_area),
)  # fmt: skip
