"""The host of many designs: one value for each area, which one interface of the VMM reads and writes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from workbench.core.contracts import Feature, Protocol, StateEntry
from workbench.core.host_state import VM, Key, area, registry
from workbench.core.restoring import written
from workbench.core.steps import Get, Program, Set
from workbench.core.vcpu import Vcpu


class Kept(Protocol):
    """A host that keeps one value for each area under ``registry(owner, feature)``; its flags are below ``mask``."""

    interface: ClassVar[str]  #: the ioctl that reads and writes a value, or "none"
    wire_bytes: ClassVar[int] = 8  #: of one value
    mask: ClassVar[int] = -1  #: the bits of a value that are the address

    def kept(self) -> tuple[Feature, ...]:
        """Return the features whose values are kept, in the order in which a VMM saves and restores them."""
        return tuple(feature for feature in self.features if self.supports(feature))

    def keep(self, owner: int, feature: Feature, value: int | None) -> Program:
        """Host: remember a value, and serve its address from now on; None: no longer."""
        yield Set(registry(owner, feature.name), value)
        yield Set(area(owner, feature.name), None if value is None else value & self.mask)

    def owner(self, cpu: Vcpu, feature: Feature) -> int:
        """Return whose the area of ``feature`` is that ``cpu`` registers."""
        return VM if feature.scope == "vm" else cpu.index

    def forget(self, owners: Iterable[int]) -> Program:
        """Host: forget every area of these owners."""
        for owner in owners:
            for feature in self.kept():
                if (feature.scope == "vm") == (owner == VM):
                    yield from self.keep(owner, feature, None)

    def on_init(self, cpu: Vcpu) -> Program:
        yield from self.forget((cpu.index,))

    def named(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        value = entries.get(registry(owner, feature.name))
        return None if value is None else int(value) & self.mask

    # -- live migration ------------------------------------------------------------------------------

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved: tuple[Any, ...] = ()
        if self.interface == "none":
            return saved
        for owner in (VM, *(cpu.index for cpu in cpus)):
            for feature in self.kept():
                value = yield Get(registry(owner, feature.name))
                if value is not None:
                    saved += ((owner, feature.name, value),)
        return saved

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        return (yield from written(cpus, saved, self.write_back))

    def write_back(self, cpus: Sequence[Vcpu], item: tuple[int, str, int]) -> Program:
        """VMM: write one saved item; return whether the host accepts it."""
        owner, name, value = item
        right = yield from self.may_restore(cpus[max(owner, 0)], self.by_name[name], value)
        if right:
            yield from self.keep(owner, self.by_name[name], value)
        return right

    def may_restore(self, cpu: Vcpu, feature: Feature, value: int) -> Program:
        """Host: whether the VMM may write this value. Default: any."""
        return True
        yield

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        held = sorted((key for key in entries if key.kind == "registry"), key=lambda key: (key.cpu, str(key.name)))
        size, carried = self.wire_bytes, self.interface != "none"
        return [StateEntry(key.cpu, f"area {key.name}", size, size, self.interface, False, carried) for key in held]
