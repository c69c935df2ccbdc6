"""Live migration to a host that emulates the LAPIC in its VMM (no KVM_CREATE_IRQCHIP).

KVM refuses asynchronous page faults there, which need an interrupt: every value of ASYNC_PF_INT, and every value but 0
of ASYNC_PF_EN (Linux 6.12 arch/x86/kvm/x86.c, kvm_pv_enable_async_pf_int and kvm_pv_enable_async_pf,
lapic_in_kernel). QEMU writes both wherever CPUID offers them, and KVM_SET_MSRS stops at the first entry that is
refused, also for a guest that never asked for a page fault. A VMM that hides ASYNC_PF_INT may write 0 to it
(5bb9ac186512): then only a guest that uses page faults loses what follows.
"""

from workbench.core.kvm_registers import ASYNC_PF_INT
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.lifecycle.migrate import Migration


class MigrateNoLapic(Migration):
    """The destination offers what the source offers, without a LAPIC in the kernel."""

    name = "migrate-no-lapic"
    title = "migration, LAPIC not in the kernel"
    changes = (("irqchip", False),)


class MigrateNoLapicHidden(Migration):
    """The destination hides the interrupt of page faults, which it cannot deliver, and enforces it."""

    name = "migrate-no-lapic-hidden"
    title = "the same, interrupt hidden"
    changes = (("irqchip", False), ("cpuid", KVM_SUPPORTED - ASYNC_PF_INT.cpuid_bits), ("enforce_cpuid", True))
