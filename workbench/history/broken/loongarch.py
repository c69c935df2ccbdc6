"""LoongArch's KVM_HCALL_FUNC_NOTIFY: the call does not check the address, and the guest does not check the answer.

V1  The call checks the low bits only: an address without memory is accepted, and later updates are dropped.
V2  The VMM's attribute for the same register does check it, so that a restore refuses an address the call accepted.
V3  Mitigation ``check-in-call``: the call refuses it as well.
V4  Linux in the guest does not check the answer.
V5  Mitigation ``look-at-answer``: it does.

Source: Linux arch/loongarch/kvm/exit.c (kvm_save_notify) and vcpu.c, arch/loongarch/kernel/paravirt.c (6.12). Both
fixes are this project's; none is known to have been made. The payload is taken to be x86's steal time.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.core.contracts import Feature
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED
from workbench.core.steps import Backed, Program
from workbench.core.vcpu import Vcpu
from workbench.history.broken.call import Call


class Notify(Call):
    """KVM_HCALL_FUNC_NOTIFY with the feature bit of steal time."""

    name = "loongarch_notify"
    title = "LoongArch NOTIFY"
    numbers: ClassVar[Mapping[str, int]] = {"steal_time": 2}
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "check-in-call": "the call checks the address as the attribute does (V3)",
        "look-at-answer": "the guest looks at the answer (V5)",
    }

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        answer = yield from super().register(cpu, feature, gpa)
        return answer if "look-at-answer" in self.mitigations else ACCEPTED  # V4, V5

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        checks = host_initiated or "check-in-call" in self.mitigations  # V1, V2, V3
        if checks and value != self.off and not (yield Backed(value, 64)):
            return FAULT
        outcome = yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated)
        return FAULT if outcome is FAULT else HANDLED
