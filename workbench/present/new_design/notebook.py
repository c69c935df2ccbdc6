"""The notebook beside a new design: its check, its tables, its matrix, and a trace of what fails."""

from typing import Any


def notebook(name: str, *, feature: bool = False) -> dict[str, Any]:
    """Return the notebook of the design in ``name.py``, without outputs."""
    features = f' + ["{name}.py"]' if feature else ""
    cells = [
        _markdown(f"""# What does {name} do, and where does it fail?

The design is in `{name}.py`, next to this notebook. Change it there, restart the kernel, and run all cells again. The
page `docs/write-a-design.md` of the workbench says what each method is for."""),
        _code(f"""from workbench.cli import main

DESIGN = "{name}.py"
main(["check", DESIGN])"""),
        _markdown("""## One registration, step by step

What the guest, the kernel and the VMM do, in this order."""),
        _code("""from workbench.present.trial import Trial

trial = Trial(DESIGN)
trial.register("steal_time", 0x10000)"""),
        _markdown("## Tables\n\nA guest of eight vCPUs, next to one register for each feature as KVM has it."),
        _code(f"""from workbench.features import FEATURES
from workbench.measure import compare
from workbench.present.notebooks.show import show
from workbench.present.text import tables

EVENTS = ["boot", "kexec-no-teardown", "migrate", "hostile-bad-base"]
result = compare(["per_feature", DESIGN], EVENTS, [*FEATURES]{features}, vcpus=8)
show(tables.events_by_protocol(result))"""),
        _markdown("""## Matrix

Every interleaving, at a few small sizes, without and with the mitigation. FAILS is a property that is violated."""),
        _code("""WHERE = ["--events", "boot,kexec-no-teardown,migrate", "--features", "steal_time", "--jobs", "1"]
main(["matrix", "--protocols", DESIGN, "--mitigations", "all", *WHERE])"""),
        _markdown("## A trace\n\nThe shortest way to a violation: a kernel begins, and the old one's areas stay."),
        _code("""main(["explore", DESIGN, "--events", "kexec-no-teardown", "--property", "stray-write"])"""),
        _markdown("""## What the answer rests on

Each line below is checked when the notebook runs: it begins with PASS or FAIL. Where it says FAIL, your design does
something else than the one you began with; change the line, and the answer."""),
        _code(f"""from workbench.measure import pivot
from workbench.present.notebooks.claims import claim

fate = pivot(result, "fate")["{name}"]
claim("every area is registered at boot", "registered", lambda: fate["boot"])
claim("a migration carries them", "registered", lambda: fate["migrate"])
claim("an address without memory is refused", "refused", lambda: fate["hostile-bad-base"])
claim("a new kernel inherits areas", "stale", lambda: fate["kexec-no-teardown"])"""),
        _markdown("""## Answer

* Every area is registered at boot, and a migration carries them all, because the registry is part of its state (R4).
* An address without memory is refused, and the guest is told so (R3).
* A new kernel that revokes nothing inherits the areas of the one before it (R6): the host writes into memory that has
  a new owner (stray write)."""),
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    numbered = [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(cells)]
    return {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}


def _code(source: str) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": lines}
