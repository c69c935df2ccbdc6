"""A PCI device registers areas: a table in a BAR, and one doorbell for all areas of the VM. The shape of pvsched v3.

Source: "Paravirt Scheduling (pvsched) v3 - Design" and its driver pvsched_guest_pci (Vineeth Pillai), not merged; Sean
Christopherson, "Re: [RFC PATCH v2 0/5] Paravirt Scheduling (Dynamic vcpu priority management)" (2 May 2024): discovery
and negotiation belong outside of KVM, as for PCI devices.

R1  The guest has one page of 4 KiB for each vCPU, whose head says its type: version of the ABI, name and version of the
    policy, and a status that the host writes.
R2  BAR 1 is a table of {APIC id, address}, 16 bytes for each vCPU; BAR 0 has DOORBELL and RESULT, 4 bytes each.
    There is one of each: two CPUs that use them at once mix their entries (a driver's lock is not modelled).
R3  Writing n to DOORBELL registers the first n entries, of all vCPUs in one go; when the write is done, RESULT is the
    number of pages that are served, or an error (-EINVAL) for more entries than there are.
R4  The host checks each entry: a vCPU with this id; a page, aligned, of RAM. It reads the head once and writes the
    status: enabled, or unknown policy, ABI mismatch, policy version mismatch. The guest looks at the status.
R5  Writing 0 to DOORBELL revokes the pages of all vCPUs. A kernel does it when it ends (shutdown, too, because kexec
    resets no device), and when its driver finds the device.
R6  The device is the VMM's: each access goes to user space, and KVM learns of a page by an ioctl. A migration carries
    the table of what is served, 16 bytes each, in the device's state; a restore checks as R4, and writes no status.
R7  It must be found by PCI first: too late for clock, steal time and whatever else early boot needs.
R8  INIT of a vCPU is nothing to a device: its page stays registered.

What the text leaves open, with the assumptions made here:

R9  While pages are registered, a doorbell with entries is an error (-EBUSY): registering again is for after a
    revocation of all. So a CPU that comes up later has no page.
R10 One page alone cannot be revoked: a CPU that goes down keeps its page registered, and the guest knows it. Mitigation
    ``single-pages``: a doorbell adds pages, replaces that of a vCPU, and with address ~0 revokes it.
R11 A table entry is two writes, each of them an exit; a BAR that is memory would need none.
R12 An update may be under way when pages are revoked. Mitigation ``quiesce``: the doorbell completes when none is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from workbench.clayout.layout import U32, Abi, struct
from workbench.core.contracts import Feature, StateEntry
from workbench.core.contracts.protocol import Area, IoRange
from workbench.core.host_state import VM, Key, registry
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.core.steps import AllVcpus, Backed, Get, Load, MmioRead, MmioWrite, Program, Quiesce, Set, Store
from workbench.core.vcpu import Vcpu
from workbench.protocols._kept import Kept

DOORBELL, RESULT = 0xFE00_4000, 0xFE00_4004  # R2: BAR 0
TABLE, MOST_ENTRIES, ENTRY = 0xFE01_0000, 4096, 16  # BAR 1
NOWHERE = (1 << 64) - 1  # R10
EINVAL, EBUSY = (1 << 32) - 22, (1 << 32) - 16  # R3, R9
PAGE_HEAD = struct("""
struct pvsched_head {
    __u32 abi_version;
    __u8  policy_name[16];
    __u32 policy_version;
    __u32 status;
};
""")
STATUS = PAGE_HEAD.on(Abi.X86_64).offset_of("status")
DISABLED, ENABLED, UNKNOWN_POLICY, ABI_MISMATCH, VERSION_MISMATCH = range(5)  # R4
ABI_VERSION, POLICY, POLICY_VERSION = 1, b"boost".ljust(16, b"\0"), 1


class PciDoorbell(Kept):
    """A table, a doorbell, a result."""

    name = "pci_doorbell"
    title = "PCI device, one doorbell (pvsched v3)"
    source = '"Paravirt Scheduling (pvsched) v3 - Design"'
    own_features = ("pvsched",)
    mmio = (IoRange(DOORBELL, 8), IoRange(TABLE, MOST_ENTRIES * ENTRY))  # R6
    batch = "vm"  # R3
    interface = "the VMM's device state"  # R6
    wire_bytes = 16
    revokes_everything = True  # R5
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "single-pages": "a doorbell adds pages, replaces one, and revokes one by an entry with address ~0 (R10)",
        "quiesce": "a revocation waits for updates that are under way (R12)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        """Tell whether the page's head can name it (R1), and it can wait for PCI (R7)."""
        return feature.name in self.own_features

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        (answer,) = yield from self.register_all(cpu, (Area(cpu, feature, gpa),))
        return answer

    def register_all(self, cpu: Vcpu, areas: Sequence[Area]) -> Program:
        yield from self._ring(tuple((own.cpu.index, own.gpa) for own in areas))
        result = yield MmioRead(RESULT, 4)
        answers: tuple[Any, ...] = ()
        for own in areas:
            answered = isinstance(result, int) and result <= MOST_ENTRIES  # R3
            status = (yield Load(own.gpa + STATUS, U32)) if answered else DISABLED  # R4
            answers += (ACCEPTED if status == ENABLED else REFUSED,)
        return answers

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if "single-pages" not in self.mitigations:
            return REFUSED  # R10
        yield from self._ring(((cpu.index, NOWHERE),))
        return ACCEPTED

    def _ring(self, entries: tuple[tuple[int, int], ...]) -> Program:
        for number, entry in enumerate(entries):
            for half, word in enumerate(entry):
                yield MmioWrite(TABLE + number * ENTRY + 8 * half, word, 8)  # R11
        yield MmioWrite(DOORBELL, len(entries), 4)  # R3

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: doorbell 0."""
        yield MmioWrite(DOORBELL, 0, 4)  # R5

    # -- the host's side, all of it in the VMM ---------------------------------------------------------

    def on_mmio_write(self, cpu: Vcpu, gpa: int, value: int, size: int) -> Program:
        if gpa >= TABLE and size == 8 and gpa % 8 == 0:
            word = (gpa - TABLE) // 8
            if word < 2 * len((yield AllVcpus())):
                yield Set(registry(VM, f"word {word}"), value)  # R2
        elif gpa == DOORBELL and size == 4 and value == 0:
            yield from self.forget((yield AllVcpus()))  # R5
            yield from self._answer(0)
        elif gpa == DOORBELL and size == 4:
            yield from self._register_first(cpu, value)

    def _register_first(self, cpu: Vcpu, count: int) -> Program:
        """Host: take up the first ``count`` entries of the table (R3)."""
        result, error = 0, (yield from self._error(count))
        for number in range(min(count, len((yield AllVcpus())))):
            words: tuple[int, ...] = ()
            for word in (2 * number, 2 * number + 1):
                words += ((yield Get(registry(VM, f"word {word}"))) or 0,)
                yield Set(registry(VM, f"word {word}"), None)  # nothing of a refused doorbell is kept
            if error is None:
                result += yield from self._take_up(*words)
        yield from self._answer(result if error is None else error)

    def _error(self, count: int) -> Program:
        """Host: return the error with which a doorbell is refused, or None."""
        vcpus = yield AllVcpus()
        if count > len(vcpus):
            return EINVAL  # R3
        if "single-pages" in self.mitigations:
            return None
        for index in vcpus:
            for feature in self.kept():
                if (yield Get(registry(index, feature.name))) is not None:
                    return EBUSY  # R9
        return None

    def _take_up(self, apic_id: int, gpa: int) -> Program:
        """Host: check one entry, and serve it; return 1 if it is served, else 0."""
        features = self.kept()
        if apic_id not in (yield AllVcpus()) or not features:
            return 0
        if gpa == NOWHERE and "single-pages" in self.mitigations:
            yield from self.forget((apic_id,))  # R10
            return 0
        head = (yield Load(gpa, PAGE_HEAD)) if (yield from self._is_page(gpa)) else None  # R4
        if head is None:
            return 0
        status = self._status(head)
        enabled = (yield Store(gpa + STATUS, status, U32)) and status == ENABLED
        if enabled:
            yield from self.keep(apic_id, features[0], gpa)
        return int(enabled)

    def _is_page(self, gpa: int) -> Program:
        return gpa % PAGE_SIZE == 0 and (yield Backed(gpa, PAGE_SIZE))

    def _status(self, head: Any) -> int:
        if head.abi_version != ABI_VERSION:
            return ABI_MISMATCH
        if bytes(head.policy_name) != POLICY:
            return UNKNOWN_POLICY
        return ENABLED if head.policy_version == POLICY_VERSION else VERSION_MISMATCH

    def _answer(self, result: int) -> Program:
        yield Set(registry(VM, "result"), result or None)
        if "quiesce" in self.mitigations:
            yield Quiesce()  # R12

    def on_mmio_read(self, cpu: Vcpu, gpa: int, size: int) -> Program:
        return ((yield Get(registry(VM, "result"))) or 0) & (1 << 8 * size) - 1 if gpa == RESULT else 0

    def on_init(self, cpu: Vcpu) -> Program:
        return  # R8
        yield

    # -- live migration ------------------------------------------------------------------------------

    def may_restore(self, cpu: Vcpu, feature: Feature, value: int) -> Program:
        return (yield from self._is_page(value))  # R6

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved = yield from super().save(cpus)
        for name in ("result", *(f"word {number}" for number in range(2 * len(cpus)))):
            value = yield Get(registry(VM, name))
            saved += () if value is None else ((VM, name, value),)  # R6: the registers of the device, too
        return saved

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        refused = yield from super().restore(cpus, tuple(item for item in saved if item[1] in self.by_name))
        for owner, name, value in (item for item in saved if item[1] not in self.by_name):
            yield Set(registry(owner, name), value)
        return refused

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        pages = {key: value for key, value in entries.items() if key.name in self.by_name}
        device = sorted(str(key.name) for key in entries if key.kind == "registry" and key not in pages)
        sizes = ((name, 4 if name == "result" else 8) for name in device)
        return [
            *(StateEntry(VM, name, size, size, self.interface, architected=True, carried=True) for name, size in sizes),
            *super().state(pages, cpus),
        ]
