"""Live migration to a host whose VMM hides a register that the guest uses, and from there to another such host.

With KVM_CAP_ENFORCE_PV_FEATURE_CPUID a register whose CPUID bit is not offered does not exist for the guest, and since
5bb9ac186512 the VMM may only read 0 from it and write 0 to it. So the first restore meets a refusal where the guest
uses the clock, at the head of QEMU's list, and none where it does not; the second saves and restores what is hidden.
"""

from workbench.core.kvm_registers import SYSTEM_TIME, SYSTEM_TIME_NEW
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.lifecycle.event import ENDED, enter_all
from workbench.lifecycle.migrate import Migration, move, there

#: What CPUID offers without the clocks.
WITHOUT_CLOCKS = KVM_SUPPORTED - SYSTEM_TIME.cpuid_bits - SYSTEM_TIME_NEW.cpuid_bits


class MigrateClockHidden(Migration):
    """Both destinations hide the clocks, and enforce it."""

    name = "migrate-clock-hidden"
    title = "migration twice, clocks hidden"
    changes = (("cpuid", WITHOUT_CLOCKS), ("enforce_cpuid", True))

    def happen(self, scenario: Scenario) -> Program:
        if (yield from super().happen(scenario)) is ENDED or (
            yield from move(there(scenario, self.changes))
        ) is ENDED:
            return ENDED
        yield from enter_all(scenario)
        return None
