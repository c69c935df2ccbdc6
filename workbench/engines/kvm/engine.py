"""Runs one event on the real KVM of this host: the guest boots, the event happens, and the result is observed.

The protocol, feature and event files are those of the simulator. Results are functional: outcomes of accesses,
contents of guest memory, values of KVM's registers, exits to user space. Exits that KVM handles itself cannot be
counted from outside (the meaning of its counters depends on the vendor module), so no number is given for them;
neither are times. An event that cannot be run here is refused with the reason (:class:`NotRunError`).
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from workbench.core.contracts.event import Event
from workbench.core.outcome import Fate
from workbench.core.rules.unchanged import unchanged
from workbench.core.scenario import Scenario
from workbench.engines.kvm.guest import longmode
from workbench.engines.kvm.machine import KvmMachine, NotRunError
from workbench.engines.kvm.probe import Probe, probe
from workbench.engines.kvm.state import Loaded
from workbench.errors import EngineError

_IGNORE_MSRS = Path("/sys/module/kvm/parameters/ignore_msrs")
#: Documentation/virt/kvm/api.rst, 4.97: filters do not apply to them.
_X2APIC = frozenset(range(0x800, 0x900))


@dataclass(frozen=True)
class KvmRun:
    """The result of one event on a real machine: counts of the event alone, fates and payloads of all areas."""

    scenario: Scenario
    event: str
    host: str  #: the probe's line: what this KVM is
    counts: Counter[str]  #: user_exits = msr_exits + mmio_exits; guest_wrmsrs, _rdmsrs, _loads, _stores
    boot_counts: Counter[str]
    fates: dict[tuple[int, str], Fate]
    payloads: dict[tuple[int, str], bool]  #: of areas the guest believes in: did the host's bytes arrive?
    strayed: frozenset[tuple[int, str]]  #: areas in reassigned memory that the host wrote to, or holds
    rounds: tuple[int, ...]  #: of a migration: pages copied in each round
    lost_bytes: int  #: of a migration: bytes that the new VM has not got
    lost_pages: int  #: how many pages these lie in
    lost_in: tuple[str, ...]  #: what these belong to: features, the descriptor
    loaded: tuple[Loaded, ...]  #: of a migration: how loading each vCPU's registers went


@lru_cache(maxsize=1)
def this_host() -> Probe:
    """Return the result of the probe, which is run once in a process."""
    return probe()


def why_not(scenario: Scenario, event: Event) -> str | None:
    """Return why ``event`` cannot be run here, in one line; None if it can."""
    there = event.adapt(scenario)
    protocol = there.protocol
    if there.vcpus > longmode.MAX_CPUS:
        return f"{there.vcpus} vCPUs: this engine runs guests of 1 to {longmode.MAX_CPUS}"
    if protocol.native and protocol.mitigations:
        wrong = ", ".join(sorted(protocol.mitigations))
        return f"{wrong} changes the host side, and here KVM's own code is the host"
    if _X2APIC.intersection(protocol.deflected):
        return "registers 0x800 to 0x8ff are the x2APIC's, which no MSR filter hands to user space"
    if there.encrypted:
        return "the guest is encrypted; this engine drives neither SEV nor TDX"
    if there.host.ignore_msrs:
        return "kvm.ignore_msrs is a parameter of the whole host, which this engine leaves alone"
    if not there.host.knows_protocol and _host_ignores_msrs():
        return "kvm.ignore_msrs=1 here: an access to an unknown register does not raise #GP"
    return None


def run_on_kvm(scenario: Scenario, event: Event) -> KvmRun:
    """Let the guest of ``scenario`` boot on this host's KVM, let ``event`` happen, and return the result.

    Raises NotRunError with the reason if the event cannot take place here, EngineError if there is no KVM.
    """
    host = this_host()
    if not host.available:
        raise EngineError(host.line)
    reason = why_not(scenario, event)
    if reason is not None:
        raise NotRunError(reason)
    scenario = event.adapt(scenario)
    with unchanged(scenario.protocol), KvmMachine(scenario) as machine:
        machine.play(event.setup(machine.scenario))
        before = Counter(machine.counts)
        machine.play(event.happen(machine.scenario))
        after = Counter(machine.counts)
        after.subtract(before)
        payloads = machine.watch.payloads()  # before the vCPUs are entered once more, to see what arrives
        return KvmRun(
            scenario,
            event.name,
            host.line,
            after,
            before,
            machine.watch.fates(),
            payloads,
            frozenset(machine.watch.strayed),
            machine.rounds,
            machine.lost_bytes,
            machine.lost_pages,
            machine.lost_in,
            machine.loaded,
        )


def _host_ignores_msrs() -> bool:
    try:
        return _IGNORE_MSRS.read_text(encoding="ascii").strip() in ("Y", "1")
    except OSError:
        return False
