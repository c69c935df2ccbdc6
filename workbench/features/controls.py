"""Features that consist of a single value set by the guest: host polling control, migration control.

With a register of their own they need no memory; under a protocol that can only name memory, the guest
must keep the value in an area, and the host must read it there. Sources: Linux
Documentation/virt/kvm/x86/msr.rst, MSR_KVM_POLL_CONTROL and MSR_KVM_MIGRATION_CONTROL.
"""

from workbench.clayout.layout import U64, struct
from workbench.core.contracts import Feature, Hidden
from workbench.core.kvm_registers import KVM_REGISTERS
from workbench.core.steps import Program, Store

CONTROL_WORD = struct("""
struct control_word {
    __u64 value;
};
""")


class Control(Feature):
    """One value that the guest sets: ``guest_value`` is what Linux writes."""

    payload = CONTROL_WORD
    is_value = True
    size = 8
    align = 8
    source = "Linux 6.12 Documentation/virt/kvm/x86/msr.rst"

    def prepare(self, gpa: int) -> Program:
        """Guest: write the value into the area, where the host of a protocol that names memory reads it."""
        yield Store(gpa, self.guest_value, U64)


class PollControl(Control):
    """Bit 0: may the host poll before it puts a halted vCPU to sleep? haltpoll in the guest writes 0."""

    name = "poll_control"
    title = "poll control"
    registers = KVM_REGISTERS["poll_control"]
    hidden = Hidden(
        "none", "the register is all there is", "Linux 6.12 arch/x86/kvm/x86.c, kvm_set_msr_common"
    )
    guest_value = 0


class MigrationControl(Control):
    """Bit 0: may an encrypted guest be migrated? Decided by the VMM; one per VM."""

    name = "migration_control"
    title = "migration control"
    scope = "vm"
    served_by = "user"
    registers = KVM_REGISTERS["migration_control"]
    hidden = Hidden("a variable of the VMM", "the VMM carries it", "Linux Documentation/virt/kvm/x86/msr.rst")
    guest_value = 1
    linux_teardown = 2
