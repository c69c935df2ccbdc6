"""LoongArch's KVM_HCALL_FUNC_NOTIFY: one call for every kind of area, all arguments in registers.

Source: Linux 6.12 arch/loongarch/kvm/exit.c (kvm_save_notify), arch/loongarch/kvm/vcpu.c (kvm_update_stolen_time,
kvm_loongarch_pvtime_set_attr, KVM_REG_LOONGARCH_VCPU_RESET); guest: arch/loongarch/kernel/paravirt.c
(pv_enable_steal_time, pv_disable_steal_time).

R1  Hypercall 2 takes (feature, data): the feature as a bit (steal time: bit 2), data as address and valid bit 0. One
    exit.
R2  It answers 0; -1 for a feature that it does not know; -2 if one of bits 1 to 5 of data is set.
R3  The address is not checked: success does not mean that there is memory. Mitigation ``check-in-call``: it is checked
    as in R8 (this project's).
R4  Data without the valid bit revokes.
R5  An update that finds no memory writes nothing, and is tried again at the next entry.
R6  The guest itself does not call for an area that crosses a page, and knows that it is not registered.
R7  The guest does not look at the answer. Mitigation ``look-at-answer``: it does (this project's).
R8  The VMM reads and writes data by an attribute for each feature (KVM_LOONGARCH_VCPU_PVTIME_CTRL), 8 bytes. Writing
    checks the low bits, and that the first page is in a memslot.
R9  A reset of the vCPU revokes.
R10 Linux revokes on each CPU that goes down, and on every CPU from the reboot notifier; there is no hook for a crash.

The payload has the layout and the rules of steal time on x86 (arch/loongarch/include/asm/kvm_para.h). Only steal time
uses the call; the generic guest ABI meets an attribute for each feature at the VMM.

Not modelled: KVM counts from the registration on (last_steal); here the first update adds all that was stolen before.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.core.contracts import ControlBits, Feature
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.core.steps import Backed, Hypercall, Program
from workbench.core.vcpu import Vcpu
from workbench.protocols._kept import Kept

KVM_HCALL_FUNC_NOTIFY = 2
SUCCESS, INVALID_CODE, INVALID_PARAMETER = 0, -1, -2
VALID, RESERVED = 1, 0x3E
BITS = {"steal_time": 2}


class Notify(Kept):
    """KVM_HCALL_FUNC_NOTIFY."""

    name = "notify"
    title = "LoongArch NOTIFY"
    source = "Linux 6.12 arch/loongarch/kvm/exit.c"
    own_features = ("steal_time",)
    hypercalls = frozenset({KVM_HCALL_FUNC_NOTIFY})
    call_instruction = "hvcl"
    unknown_hypercall = INVALID_CODE
    interface = "KVM_SET_DEVICE_ATTR"  # R8
    mask = ~(VALID | RESERVED)
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "check-in-call": "the call checks the address as the attribute does (R3)",
        "look-at-answer": "the guest looks at the answer (R7)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        return feature.name in BITS

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if gpa % PAGE_SIZE + feature.size > PAGE_SIZE:
            return REFUSED  # R6
        return (yield from self._call(feature, gpa | VALID))

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._call(feature, 0))  # R4, R10

    def _call(self, feature: Feature, data: int) -> Program:
        answer = yield Hypercall(KVM_HCALL_FUNC_NOTIFY, (1 << BITS[feature.name], data))  # R1
        return REFUSED if answer != SUCCESS and "look-at-answer" in self.mitigations else ACCEPTED  # R7

    def control_bits(self, feature: Feature) -> ControlBits:
        return ControlBits(VALID, RESERVED)  # R2, R4

    # -- the host's side -----------------------------------------------------------------------------

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        code, data = arguments
        feature = next((one for one in self.kept() if 1 << BITS[one.name] == code), None)
        if feature is None:
            return INVALID_CODE
        if data & RESERVED:
            return INVALID_PARAMETER  # R2
        if "check-in-call" in self.mitigations and not (yield from self.may_restore(cpu, feature, data)):
            return INVALID_PARAMETER  # R3
        yield from self.keep(cpu.index, feature, data if data & VALID else None)  # R4, R5
        return SUCCESS

    def may_restore(self, cpu: Vcpu, feature: Feature, value: int) -> Program:
        """Host: the check of the VMM's attribute (R8)."""
        if value & RESERVED or not value & VALID:
            return not value & RESERVED
        first_page = value & self.mask & -PAGE_SIZE
        return (yield Backed(first_page, PAGE_SIZE))

    def on_init(self, cpu: Vcpu) -> Program:
        yield from self.forget((cpu.index,))  # R9
