"""An event under a named VMM, written ``migrate@qemu``: what it does when the destination refuses a part of the state.

The VMMs are in ``workbench.core.vmm``. An event that names none assumes one that does not look: the list of the vCPU
ends at the refused entry, and the machine goes on.
"""

from dataclasses import replace

from workbench.core.contracts.event import Event
from workbench.core.scenario import Scenario
from workbench.core.vmm import VMMS, Vmm
from workbench.errors import WorkbenchError, unknown

SEPARATOR = "@"
#: By event (which its copy keeps alive) and VMM.
_MADE: dict[tuple[int, str], Event] = {}


def vmm_named(name: str) -> Vmm:
    """Return a VMM; raise WorkbenchError for an unknown name."""
    if name not in VMMS:
        raise unknown("VMM", name, VMMS)
    return VMMS[name]


def under(event: Event, vmm: Vmm) -> Event:
    """Return ``event`` under ``vmm``, always the same object; raise WorkbenchError if it restores nothing."""
    if not event.restores:
        raise WorkbenchError(f"event {event.name!r} restores no machine, so that no VMM can be named for it")
    if (id(event), vmm.name) in _MADE:
        return _MADE[id(event), vmm.name]
    kind = type(event)

    def adapt(self: Event, scenario: Scenario) -> Scenario:
        scenario = kind.adapt(self, scenario)
        return replace(scenario, host=replace(scenario.host, vmm=vmm))

    own = {
        "__module__": kind.__module__, "__doc__": kind.__doc__, "adapt": adapt,
        "__reduce__": lambda self: (under, (event, vmm)),
        "name": f"{event.name}{SEPARATOR}{vmm.name}", "title": f"{event.title}, {vmm.title}",
    }  # fmt: skip
    here = type(kind.__name__, (kind,), own)
    found: Event = object.__new__(here)
    vars(found).update(vars(event))
    return _MADE.setdefault((id(event), vmm.name), found)


def on_qemu(event: Event) -> Event:
    """Return ``event`` under QEMU."""
    return under(event, VMMS["qemu"])
