"""The VMM writes the state that it has saved, item by item, as the VMM of that host does (``workbench.core.vmm``)."""

from collections.abc import Callable, Sequence
from typing import Any

from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu


def written(
    cpus: Sequence[Vcpu],
    items: tuple[Any, ...],
    write: Callable[[Sequence[Vcpu], Any], Program],
    *,
    in_lists: bool = False,
) -> Program:
    """VMM: write the saved ``items`` in order; return how many the host refused.

    ``write(cpus, item)`` is a program that returns whether the host accepts the item. ``in_lists``: the items of a
    vCPU, whose index is their first part, are one list, as of KVM_SET_MSRS: after a refused one the rest of them is not
    written, unless the VMM skips. Otherwise each item is a call of its own. A VMM that gives up writes no more.
    """
    vmm = cpus[0].host.vmm
    refused = 0
    ended: frozenset[int] = frozenset()
    for item in items:
        if in_lists and item[0] in ended:
            continue
        if (yield from write(cpus, item)):
            continue
        refused += 1
        if vmm.ends(refused):
            break
        if not vmm.skips:
            ended |= {item[0]}
    return refused
