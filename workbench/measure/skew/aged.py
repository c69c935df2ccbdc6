"""A design whose host is of some age: the guest's side as written, the host's side as far as this host knows it.

Nothing is written a second time: a host that does not know a type of area is the design's own host side, made for no
feature; one that knows the longer payload is made for that one. Where neither kernel nor VMM know the design, the
record of the host says so (``Host.knows_protocol``), and the rules for unclaimed accesses apply (``core.driver``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import VM, Key
from workbench.core.outcome import UNKNOWN
from workbench.core.relay import relayed
from workbench.core.steps import Exit, Note, Program, ToUser
from workbench.core.vcpu import Host, Vcpu
from workbench.measure.design_check.tried import Tried
from workbench.measure.skew.combinations import IGNORE, NEW, OLD, TYPE, HostAge
from workbench.measure.variants import Variant, features_of

#: Ghost: the VMM met an exit that it does not know, and stopped the VM (value: the exit's reason). QEMU: "KVM: unknown
#: exit reason", then vm_stop(RUN_STATE_INTERNAL_ERROR) (target/i386/kvm/kvm.c, kvm_arch_handle_exit;
#: accel/kvm/kvm-all.c, kvm_cpu_exec).
VM_STOPPED = Key("VM stopped at an unknown exit", VM, "to user space")


@dataclass(frozen=True)
class AgedHost(Host):
    """A host with the ages of its kernel and its VMM; a migration changes them like its other settings."""

    kernel: str = NEW
    vmm_age: str = NEW


def by_vmm_alone(protocol: Protocol, features: Sequence[Feature]) -> bool:
    """Tell whether the VMM serves these features alone: by a device, or by registers that KVM leaves to it."""
    if any(feature.served_by == "kernel" for feature in features):
        return False
    if not (protocol.msrs or protocol.hypercalls):
        devices = (*protocol.mmio, *protocol.ports)
        return bool(devices) and all(one.served_by == "user" for one in devices)
    registers = [one.msr for feature in features for one in feature.registers]
    return bool(protocol.native and registers) and protocol.msrs.isdisjoint(registers)


def settings(age: HostAge, protocol: Protocol, features: Sequence[Feature]) -> tuple[tuple[str, Any], ...]:
    """Return the settings of a host of this age, as pairs of name and value (see NewHost)."""
    devices = any(one.served_by == "user" for one in (*protocol.mmio, *protocol.ports))
    asked = {one.msr for feature in features if feature.served_by == "user" for one in feature.registers}
    return (
        ("knows_protocol", age.kernel in (NEW, TYPE) or (devices and age.vmm == NEW)),
        ("ignore_msrs", age.kernel == IGNORE),
        ("user_msrs", frozenset(asked - protocol.msrs) if age.vmm == NEW else frozenset()),
        ("kernel", age.kernel),
        ("vmm_age", age.vmm),
    )


@dataclass(frozen=True)
class Aged(Variant):
    """A variant whose host side is of the age of the host on which it runs.

    ``last``: the host on which the machine ends. ``host_features``: what the host knows; None: what the guest does.
    ``older``: names of features that a kernel knows which does not know the type.
    """

    last: HostAge = HostAge(NEW, NEW)
    host_features: tuple[Feature, ...] | None = None
    older: frozenset[str] = frozenset()

    def protocol(self, features: tuple[Feature, ...]) -> Protocol:
        """Return the guest's side for ``features``, with the host's side beside it."""
        made = super().protocol(features)
        full = super().protocol(features if self.host_features is None else self.host_features)
        lacking = super().protocol(
            tuple(one for one in features if one.served_by == "user" or one.name in self.older)
        )
        sides = _Sides(full, lacking)
        vars(made).update(
            {name: sides.handler(name) for name in _BY_KERNEL}
            | {name: sides.device(name) for name in _BY_VMM}
            | {"deliver": sides.deliver, "save": sides.save, "restore": sides.restore}
            | {"serving": full.serving, "named": full.named, "state": full.state, "msrs": full.msrs}
        )
        if self.last.kernel == TYPE:
            vars(made).update({"serving": sides.serving, "named": lacking.named, "state": lacking.state})
        return made


#: What the host does if its kernel does not know the design.
_BY_KERNEL: dict[str, Any] = {
    "on_wrmsr": UNKNOWN, "on_rdmsr": UNKNOWN, "on_hypercall": UNKNOWN, "on_init": None, "on_guest_stopped": False,
    "on_clock_set": None, "on_entry": None,
}  # fmt: skip
_BY_VMM = ("on_mmio_read", "on_mmio_write", "on_pio_read", "on_pio_write")


class _Sides:
    """The host's side as a host that knows the feature has it, and as one that lacks it."""

    def __init__(self, full: Protocol, lacking: Protocol) -> None:
        self.full, self.lacking = full, lacking

    def of(self, host: AgedHost) -> Protocol:
        """Return the side of a host."""
        return self.lacking if host.kernel == TYPE else self.full

    def handler(self, name: str) -> Callable[..., Program]:
        """Return a handler of KVM's: nobody answers where the kernel does not know the design."""

        def handle(cpu: Vcpu, *arguments: Any, **named: Any) -> Program:
            host: Any = cpu.host
            if host.kernel in (OLD, IGNORE):
                return _BY_KERNEL[name]
            program = getattr(self.of(host), name)(cpu, *arguments, **named)
            return (yield from program if host.vmm_age == NEW else relayed(program, _stops))

        return handle

    def device(self, name: str) -> Callable[..., Program]:
        """Return a handler of a device: where nobody has it, reads are all ones (QEMU's unassigned memory)."""

        def handle(cpu: Vcpu, at: int, *rest: int) -> Program:
            host: Any = cpu.host
            ranges = self.full.mmio if "mmio" in name else self.full.ports
            by_kernel = any(own.start <= at < own.start + own.size and own.served_by == "kernel" for own in ranges)
            if (host.kernel if by_kernel else host.vmm_age) in (OLD, IGNORE):
                return (1 << 8 * rest[-1]) - 1 if name.endswith("read") else None
            return (yield from getattr(self.of(host), name)(cpu, at, *rest))

        handle.__name__ = name  # what it returns is checked as what that method returns
        return handle

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        """Host: write the payload as this host knows it."""
        host: Any = cpu.host
        side: Any = self.of(host)
        knows = feature.served_by == "user" or host.kernel not in (OLD, IGNORE)
        if knows and feature.name in side.by_name:
            yield from side.deliver(cpu, side.by_name[feature.name])

    def serving(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        """Return where a host that may lack the feature serves it: what it does not know it does not serve."""
        return self.lacking.serving(entries, owner, feature, gpa) if feature.name in self.lacking.by_name else None

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: an old one has no field for the state."""
        host: Any = cpus[0].host
        return (yield from self.of(host).save(cpus)) if host.vmm_age == NEW else ()

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        """VMM: it restores what it knows on a kernel that knows it."""
        host: Any = cpus[0].host
        if host.vmm_age == NEW and host.kernel in (NEW, TYPE):
            yield from self.of(host).restore(cpus, saved)


def _stops(step: Any) -> Program:
    answer = yield step
    if type(step) is ToUser:
        yield Note(VM_STOPPED, step.reason)
    return answer


@lru_cache(maxsize=256)
def shares_its_call(chosen: Variant, feature: Feature) -> bool:
    """Tell, by registering each on a machine of its own, whether another feature is registered by the same call."""
    features = tuple({one.name: one for one in (*features_of(chosen), feature)}.values())
    calls = {one.name: _calls(chosen, features, one) for one in features if chosen.protocol(features).supports(one)}
    own = calls.get(feature.name, frozenset())
    return any(own & others for name, others in calls.items() if name != feature.name)


def _calls(chosen: Variant, features: tuple[Feature, ...], feature: Feature) -> frozenset[tuple[str, int]]:
    """Return what leaves the guest when it registers ``feature``: (cause, number) of each exit."""
    tried, seen = Tried(chosen, features), set()
    leave = tried.machine.leave

    def watched(cpu: int, step: Exit) -> Vcpu:
        seen.add((step.cause, step.number))
        return leave(cpu, step)

    tried.machine.leave = watched  # type: ignore[method-assign]
    tried.register(feature, tried.gpa(feature))
    return frozenset(seen)
