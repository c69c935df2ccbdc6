"""The tables of docs/vmms.md, from policies and from runs: ``python -m tests.lifecycle.vmm_tables --write``."""

import sys
from pathlib import Path

from workbench.core.kvm_registers import KVM_ORDER, bits_of_names
from workbench.core.outcome import SEVERITY, Becomes, Fate
from workbench.core.scenario import Scenario, becomes
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.core.vmm import STOPS_SHORT, VMMS
from workbench.engines.simulate import simulate
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS, choose_one
from workbench.protocols import PerFeature

PAGE = Path(__file__).resolve().parents[2] / "docs" / "vmms.md"
ALL = (STOPS_SHORT, *VMMS.values())
#: What becomes of a machine, in the words of replay files and of fates.
SAID = {
    Becomes.LESS: "goes on with less", Becomes.REFUSED: "is not started (`refused`)",
    Becomes.ABORTS: "its VMM aborts (`aborts`)",
}  # fmt: skip


def table(head, rows):
    lines = [head, [":---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def policies():
    """What each VMM does at a refused entry, and where its list comes from."""
    return table(
        ("VMM", "`@` and `--vmm`", "what is refused", "the machine"),
        [
            (vmm.title, f"`{vmm.name}`" if vmm.name in VMMS else "(no name)",
             "is left out, the rest is written" if vmm.skips else "ends the list of its vCPU", SAID[vmm.becomes])
            for vmm in ALL
        ],
    )  # fmt: skip


def place(vmm, one):
    """At which place of its list a VMM carries a register, and whether only if CPUID offers it."""
    if one not in vmm.registers(KVM_SUPPORTED):
        return "-"
    at = vmm.order.index(one) + 1
    return f"{at}" if vmm.carries(one, frozenset()) else f"{at}, if offered"


def lists():
    """Which register stands where in which list."""
    rows = []
    for one in KVM_ORDER:
        bits = ", ".join(map(str, sorted(bits_of_names(one))))
        rows.append((one.name, f"`{one.msr:#x}`", bits, *(place(vmm, one) for vmm in ALL)))
    return table(("register", "number", "CPUID bits", *(vmm.title for vmm in ALL)), rows)


def cell(event, vmm):
    """What a run of per_feature under an event leaves: the end of the machine, or the features that fare badly."""
    named = event if vmm is STOPS_SHORT else f"{event}@{vmm.name}"
    happening, features = choose_one(named), choose_features()
    scenario = Scenario(PerFeature(features), features, vcpus=max(2, happening.min_vcpus))
    done = simulate(scenario, happening)
    said = done.machine.notes.get(becomes())
    if said is not None and said.is_end:
        return said.value
    bad = [fate for fate in SEVERITY if fate not in (Fate.RELEASED, Fate.UNSUPPORTED, Fate.REGISTERED)]
    found = {fate: sorted({name for (_, name), one in done.fates.items() if one is fate}) for fate in bad}
    return "; ".join(f"{fate.value}: {', '.join(names)}" for fate, names in found.items() if names) or "all registered"


def ends():
    """What becomes of per_feature under each event that restores, where the VMMs differ."""
    rows = []
    for name, event in EVENTS.items():
        if not event.restores:
            continue
        cells = [cell(name, vmm) for vmm in ALL]
        if len(set(cells)) > 1:
            rows.append((f"`{name}`", *cells))
    return table(("event", *(vmm.title for vmm in ALL)), rows)


def sources():
    """What was read, and of which VMMs it is said."""
    said = {}
    for vmm in ALL:
        for source in vmm.sources:
            said.setdefault(source, []).append(vmm.title)
    return table(
        ("of", "project", "version, commit or year", "where", "what it says"),
        [(", ".join(titles), *source) for source, titles in said.items()],
    )


TABLES = {"policies": policies, "lists": lists, "ends": ends, "sources": sources}


def put(page):
    """Return the page with every table between its two comments."""
    for name, made in TABLES.items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->\n")
        assert begin, name
        assert end, name
        page = f"{before}{begin}{made()}{end}{after}"
    return page


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(put(PAGE.read_text()))
    else:
        print(put(PAGE.read_text()), end="")
