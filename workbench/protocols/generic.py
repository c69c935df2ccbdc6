"""Generic registration: one call for any piece of shared memory, with a descriptor in guest memory.

Source: "[PATCH 01/16] KVM-HDR: register KVM basic header infrastructure" (Glauber Costa, 24 January 2011)
and the review by Avi Kivity of 26 January 2011, which reconstructs the protocol in four steps.

R1  The register is MSR_KVM_REGISTER_MEM_AREA, 0x4b564d03; its value is the gpa of a struct kvm_memory_area.
R2  The guest fills base, size and type; it does not touch result.
R3  The guest writes the descriptor's address to the register: one exit for each area.
R4  The host registers the memory and then updates result.
R5  The guest examines result.
R6  A type that the kernel does not serve is passed to user space, which serves it with the same descriptor.
R7  The area is visible to the hypervisor and the guest kernel, but not to guest user space.
R8  The host may change the contents of a registered area at will, at any time.

What the patch leaves open, with the assumptions made here (departures):

R9  result is 0 for success and an errno otherwise, as everywhere in the kernel. Reading ``success-is-one``.
R10 The dispatcher reads the descriptor to choose a server and to check it; the server reads it again, because
    an MSR exit passes on only the register's value. Mitigation ``copy-once``: it is read once.
R11 A descriptor that the host cannot read is #GP, because the host has nowhere to write a result. Reading
    ``unreadable-ignored``.
R12 base to base + size must not wrap and must be RAM that the host can write (EFAULT); a known type needs at
    least the size of its payload (EINVAL). Alignment, page crossing and overlap are not checked. Reading
    ``unchecked-base``.
R13 A vCPU holds one area for each type; registering the type again replaces it. Reading ``refuse-second``.
R14 size 0 revokes the type. Nothing else revokes it, neither INIT nor a new kernel. Reading ``never-revoked``.
R15 No existing interface reads the registry, so a migration loses it. Mitigation ``carry-registry``; it restores the
    stream unchecked, as KVM did with RISC-V's KVM_SET_ONE_REG until fa9681ed5c6a (2026). Mitigation
    ``validate-restore``: an area is restored if R12 allows it. Reading ``user-carries-its-own``.
R16 The host reads 24 bytes, the x86-64 layout, also from i386 guests, whose descriptor has 20. Reading ``own-layout``.
R17 The descriptor has no field for an interrupt vector (async page fault): the vector is in the area, where the host
    reads it at every event. Reading ``vector-register``.
R18 Type numbers are those of TYPES; user space accepts every type number, without a limit. Reading
    ``refuse-unknown-types``.
R19 No vCPU revokes for another, so the areas of CPUs that a crashing kernel has stopped stay registered. Mitigation
    ``revoke-vm``: writing 1 (never a descriptor's address, because the struct is aligned) revokes all areas of the VM,
    as leaving secure mode does under PAPR (KVM_PPC_SVM_OFF). The caller stops the other CPUs first; otherwise an area
    that one of them is registering at that time stays.
R20 When a vCPU revokes its own area, no update of that area is under way, because updates are made on entry to the
    guest. When another vCPU revokes it (R19), or when the area is the VM's, an update may be under way: the host has
    read the address, and writes after the revocation. Mitigation ``quiesce``: such a revocation completes when no
    update is under way.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.clayout.layout import U8, Value
from workbench.core.contracts import Feature
from workbench.core.host_state import VM, area, pending, register, registry
from workbench.core.kvm_registers import HYPERVISOR_CALLBACK_VECTOR
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED, UNKNOWN
from workbench.core.steps import AllVcpus, Backed, Get, Load, Program, Quiesce, Set, Store, ToUser, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.protocols._readings import READINGS, VECTOR_MSR
from workbench.protocols._registry import KVM_MEMORY_AREA, OK, CarriedRegistry

MSR_KVM_REGISTER_MEM_AREA = 0x4B56_4D03  # R1

RESULT = 16  # offset of result on both ABIs
EFAULT, EINVAL, EBUSY, ENOSPC, PENDING = 14, 22, 16, 28, 255  # R9

TYPES = {  # R18
    "kvmclock": 1,
    "wall_clock": 2,
    "async_pf": 3,  # R17: with its vector in the area
    "pv_eoi": 4,
    "steal_time": 5,
    "poll_control": 6,
    "migration_control": 7,
    "watchdog": 8,
}
REVOKE_OWN, REVOKE_VM = 0, 1  # R14, R19: values of the register that name no descriptor
#: With ``bound-registry``: the largest number of areas that user space keeps for one vCPU.
REGISTRY_LIMIT = 16


def type_number(feature: Feature) -> int:
    """Return the descriptor's type for ``feature``; a feature that is not in TYPES gets a high number from its name."""
    return TYPES.get(feature.name) or zlib.crc32(feature.name.encode()) | 0x8000_0000


class Generic(CarriedRegistry):
    """MSR_KVM_REGISTER_MEM_AREA and struct kvm_memory_area, as proposed in January 2011."""

    name = "generic"
    title = "generic registration (2011)"
    source = "the patch of January 2011"
    descriptor = KVM_MEMORY_AREA
    msrs = frozenset({MSR_KVM_REGISTER_MEM_AREA})  # R7: a register, so that only CPL 0 can ask
    deflected = msrs
    mitigations_known = {
        "copy-once": "the host copies the descriptor once and uses only the copy (R10)",
        "pending-result": "the guest sets result to not-processed before the call (R2)",
        "carry-registry": "a new ioctl reads and writes the registry, and a migration carries it (R15)",
        "validate-restore": "a restore checks areas like registrations and leaves out those it refuses (R15)",
        "quiet-restore": "a restore registers areas without writing payloads; the next entry writes them (R15)",
        "refuse-overlap": "an area that overlaps another of its vCPU or of the VM is refused with EBUSY (R12)",
        "revoke-all": "writing 0 to the register revokes everything, and a new kernel does so first (R14)",
        "revoke-vm": "writing 1 to the register revokes for all vCPUs; a kernel does so when it ends or starts (R19)",
        "quiesce": "a revocation waits for updates that are under way for other vCPUs (R20)",
        "init-revokes": "INIT revokes the vCPU's areas (R14)",
        "bound-registry": "user space keeps at most 16 areas for one vCPU and answers ENOSPC (R18)",
    }

    readings_known = READINGS

    def __init__(self, features: Sequence[Feature], mitigations: Sequence[str] = ()) -> None:
        super().__init__(features, mitigations)
        self.by_type = {type_number(feature): feature for feature in self.features}
        self.success = 1 if "success-is-one" in self.mitigations else OK  # R9
        if "vector-register" in self.mitigations:  # R17
            vars(self)["msrs"] = vars(self)["deflected"] = self.msrs | {VECTOR_MSR}

    # -- the guest's side ----------------------------------------------------------------------------

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if "vector-register" in self.mitigations and feature.name == "async_pf":
            yield Wrmsr(VECTOR_MSR, HYPERVISOR_CALLBACK_VECTOR)  # R17
        return (yield from self._call(cpu, gpa, feature.size, type_number(feature)))

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return self._call(cpu, gpa, 0, type_number(feature))  # R14

    def _call(self, cpu: Vcpu, base: int, size: int, kind: int) -> Program:
        fields = KVM_MEMORY_AREA.on(cpu.abi)(base=base, size=size, type=kind, result=PENDING).pack()
        filled = RESULT + 1 if "pending-result" in self.mitigations else RESULT  # R2
        yield Store(cpu.descriptor, fields[:filled])
        outcome = yield Wrmsr(MSR_KVM_REGISTER_MEM_AREA, cpu.descriptor)  # R3
        if outcome is FAULT:
            return REFUSED
        result = yield Load(cpu.descriptor + RESULT, U8)  # R5
        return ACCEPTED if result == self.success else REFUSED

    def revoke_all(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``revoke-all``, a new kernel first revokes all areas of this vCPU."""
        if "revoke-all" in self.mitigations:
            yield Wrmsr(MSR_KVM_REGISTER_MEM_AREA, REVOKE_OWN)

    @property
    def revokes_everything(self) -> bool:
        return "revoke-vm" in self.mitigations

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``revoke-vm``, a kernel revokes all areas of the VM when it ends or starts."""
        if self.revokes_everything:
            yield Wrmsr(MSR_KVM_REGISTER_MEM_AREA, REVOKE_VM)

    # -- the host's side -----------------------------------------------------------------------------

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if msr == VECTOR_MSR:
            yield Set(register(cpu.index, VECTOR_MSR), value or None)  # R17
            return HANDLED
        if value == REVOKE_OWN and "revoke-all" in self.mitigations:
            yield from self._forget_own(cpu)
            return HANDLED
        if value == REVOKE_VM and "revoke-vm" in self.mitigations:
            yield from self._forget((VM, *(yield AllVcpus())))
            yield from self._quiesce()
            return HANDLED
        layout = KVM_MEMORY_AREA.on(cpu.abi) if "own-layout" in self.mitigations else KVM_MEMORY_AREA
        descriptor = yield Load(value, layout)  # R16
        if descriptor is None:
            return HANDLED if "unreadable-ignored" in self.mitigations else FAULT  # R11
        result = yield from self._check(cpu, descriptor)
        feature = self.by_type.get(descriptor.type)
        if feature is None or feature.served_by == "user":
            yield ToUser("register_mem_area")  # R6
        if "copy-once" not in self.mitigations:
            descriptor = yield Load(value, layout)  # R10
        if descriptor is not None and result == OK:
            result = yield from self._apply(cpu, descriptor)  # R4
        yield Store(value + RESULT, self.success if result == OK else result, U8)
        return HANDLED

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        return UNKNOWN  # R15: there is nothing to read back
        yield

    def named(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        entry = entries.get(registry(owner, type_number(feature)))
        return None if entry is None else int(entry[0])

    def on_init(self, cpu: Vcpu) -> Program:
        if "init-revokes" in self.mitigations:  # R14
            yield from self._forget_own(cpu)

    def _check(self, cpu: Vcpu, descriptor: Value) -> Program:
        """Return OK, or the errno with which the host refuses this descriptor."""
        base, size = descriptor.base, descriptor.size
        if size == 0:
            return EINVAL if "never-revoked" in self.mitigations else OK  # R14
        feature = self.by_type.get(descriptor.type)
        if feature is not None and size < feature.size:
            return EINVAL  # R12
        if feature is None and "refuse-unknown-types" in self.mitigations:
            return EINVAL  # R18
        is_checked = "unchecked-base" not in self.mitigations
        if is_checked and (base + size > 1 << 64 or not (yield Backed(base, size))):
            return EFAULT  # R12
        if "refuse-second" in self.mitigations and descriptor.type in (
            (yield Get(registry(self._owner(cpu, feature), "types"))) or ()
        ):
            return EBUSY  # R13
        if "refuse-overlap" in self.mitigations and (yield from self._overlaps(cpu, descriptor)):
            return EBUSY
        if "bound-registry" in self.mitigations and (yield from self._is_full(cpu, descriptor.type)):
            return ENOSPC
        return OK

    def _apply(self, cpu: Vcpu, descriptor: Value, *, quietly: bool = False) -> Program:
        """Enter the area into the registry, replacing one of its type; return OK. ``quietly``: write no payload now."""
        feature = self.by_type.get(descriptor.type)
        owner = self._owner(cpu, feature)
        entry = (descriptor.base, descriptor.size) if descriptor.size else None  # R14
        held = (yield Get(registry(owner, "types"))) or ()
        kinds = tuple(sorted({*held, descriptor.type} if entry else {*held} - {descriptor.type}))
        yield Set(registry(owner, "types"), kinds or None)
        yield Set(registry(owner, descriptor.type), entry)  # R13
        if feature is not None:
            yield Set(area(owner, feature.name), descriptor.base if entry else None)
            if entry and feature.update_when == "request":
                yield Set(pending(cpu.index, feature.name), True)
            if entry and feature.update_when in ("request", "registration") and not quietly:
                yield from self.deliver(cpu, feature)  # R8
        if owner == VM and descriptor.type in held:
            yield from self._quiesce()
        return OK

    def _owner(self, cpu: Vcpu, feature: Feature | None) -> int:
        return VM if feature is not None and feature.scope == "vm" else cpu.index

    def _overlaps(self, cpu: Vcpu, wanted: Value) -> Program:
        for owner in (cpu.index, VM):
            for kind, base, size in (yield from self._entries(owner)):
                if kind != wanted.type and base < wanted.base + wanted.size and wanted.base < base + size:
                    return True
        return False

    def _is_full(self, cpu: Vcpu, kind: int) -> Program:
        held = (yield Get(registry(cpu.index, "types"))) or ()
        return kind not in held and len(held) >= REGISTRY_LIMIT

    def _quiesce(self) -> Program:
        if "quiesce" in self.mitigations:  # R20
            yield Quiesce()

    def _forget_own(self, cpu: Vcpu) -> Program:
        yield from self._forget((cpu.index, VM) if cpu.index == 0 else (cpu.index,))
        if cpu.index == 0:
            yield from self._quiesce()

    def _forget(self, owners: Iterable[int]) -> Program:
        for owner in owners:
            held = (yield Get(registry(owner, "types"))) or ()
            for kind in held:
                yield Set(registry(owner, kind), None)
                if kind in self.by_type:
                    yield Set(area(owner, self.by_type[kind].name), None)
            if held:
                yield Set(registry(owner, "types"), None)
