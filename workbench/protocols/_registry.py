"""The registry of ``generic`` and its way through a migration (clause R15 there).

Each entry is {base, size, type}, under its owner and type; each owner has the list of its types.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.clayout.layout import Value, struct
from workbench.core.contracts import Feature, Protocol, StateEntry
from workbench.core.host_state import VM, Key, register, registry
from workbench.core.restoring import written
from workbench.core.steps import Get, Program, Set
from workbench.core.vcpu import Vcpu
from workbench.protocols._readings import VECTOR_MSR

KVM_MEMORY_AREA = struct("""
struct kvm_memory_area {
    __u64 base;
    __u32 size;
    __u32 type;
    __u8  result;
    __u8  pad[3];
};
""")
OK = 0


class CarriedRegistry(Protocol):
    """A registry of areas by type, of which a migration carries what the switches say."""

    by_type: dict[int, Feature]

    def _check(self, cpu: Vcpu, descriptor: Value) -> Program:
        raise NotImplementedError

    def _apply(self, cpu: Vcpu, descriptor: Value, *, quietly: bool = False) -> Program:
        raise NotImplementedError

    def _entries(self, owner: int) -> Program:
        """Return the registry of one owner as a tuple of (type, base, size)."""
        found: tuple[Any, ...] = ()
        for kind in (yield Get(registry(owner, "types"))) or ():
            entry = yield Get(registry(owner, kind))
            if entry is not None:
                found += ((kind, *entry),)
        return found

    def _is_carried(self, kind: int) -> bool:
        if "carry-registry" in self.mitigations:
            return True
        return "user-carries-its-own" in self.mitigations and self._by_user(kind)

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved: tuple[Any, ...] = ()
        if any(map(self._is_carried, (*self.by_type, 0))):
            for owner in (VM, *(cpu.index for cpu in cpus)):
                held = yield from self._entries(owner)
                saved += tuple((owner, *entry) for entry in held if self._is_carried(entry[0]))
        if VECTOR_MSR in self.msrs:
            for cpu in cpus:
                value = yield Get(register(cpu.index, VECTOR_MSR))
                saved += ((cpu.index, VECTOR_MSR, value),) if value else ()
        return saved

    def vmm_keeps(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: the areas of types that user space serves, also those of types that nobody knows (R18)."""
        kept: tuple[Any, ...] = ()
        for owner in (VM, *(cpu.index for cpu in cpus)):
            held = yield from self._entries(owner)
            kept += tuple((owner, *entry) for entry in held if self._by_user(entry[0]))
        return kept

    def _by_user(self, kind: int) -> bool:
        feature = self.by_type.get(kind)
        return feature is None or feature.served_by == "user"

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        return (yield from written(cpus, saved, self._write_back))

    def _write_back(self, cpus: Sequence[Vcpu], item: tuple[int, ...]) -> Program:
        if item[1:2] == (VECTOR_MSR,) and len(item) == 3:
            yield Set(register(item[0], VECTOR_MSR), item[2])
            return True
        owner, kind, base, size = item
        cpu = cpus[0 if owner == VM else owner]
        descriptor = KVM_MEMORY_AREA(base=base, size=size, type=kind)
        right = "validate-restore" not in self.mitigations or (yield from self._check(cpu, descriptor)) == OK
        if right:
            yield from self._apply(cpu, descriptor, quietly="quiet-restore" in self.mitigations)
        return right

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        """Every area is {base, size, type}, 16 bytes that no register shows; each owner also has a number of areas."""
        found = []
        for key in sorted((key for key in entries if key.kind == "registry"), key=lambda k: (k.cpu, str(k.name))):
            kinds = entries[key] if key.name == "types" else (int(key.name),)
            carried = all(map(self._is_carried, kinds))
            interface = "none"
            if carried:
                interface = "new ioctl" if "carry-registry" in self.mitigations else "the VMM's own"
            if key.name == "types":
                found.append(StateEntry(key.cpu, "number of areas", 4, 4, interface, False, carried))
            else:
                feature = self.by_type.get(int(key.name))
                name = f"area {feature.name}" if feature else f"area of type {int(key.name):#x}"
                found.append(StateEntry(key.cpu, name, 16, 16, interface, False, carried))
        vectors = [key for key in entries if key.kind == "register" and key.name == VECTOR_MSR]
        return found + [StateEntry(key.cpu, "vector", 16, 16, "KVM_GET/SET_MSRS", True, True) for key in vectors]
