"""The pages that a Hyper-V guest shares: SynIC messages and event flags, VP assist, reference TSC, hypercall page.

Hypervisor Top Level Functional Specification (TLFS); Linux 6.12 include/asm-generic/hyperv-tlfs.h,
arch/x86/include/asm/hyperv-tlfs.h, arch/x86/kvm/hyperv.c. The order at boot is that of ms_hyperv_init_platform,
hyperv_init and hv_synic_enable_regs, at the end that of hv_synic_disable_regs, hv_cpu_die and hyperv_cleanup.
"""

from workbench.clayout.layout import U8, U32, U64, struct
from workbench.core.contracts import Counted, Feature
from workbench.core.memory import PAGE_SIZE
from workbench.core.steps import Load, Moment, Program, Store


class MessagePage(Feature):
    """One slot of the message page: the host fills it where its type is 0; the guest clears the type."""

    name = "simp"
    title = "SynIC message page"
    payload = struct("struct hv_message { __u32 message_type; __u32 header[3]; __u64 payload[30]; };")
    size = align = PAGE_SIZE
    update_when = "event"
    counted = Counted(
        "lower bound",
        "KVM writes each message, as here; where the slot is still taken it sets a flag in it, which no run here does",
        "Linux 6.12 arch/x86/kvm/hyperv.c, synic_deliver_msg",
    )
    linux_boot, linux_teardown = 3, 0
    source = "TLFS, SIMP"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: deliver a message, unless the guest has not yet taken the last one (synic_deliver_msg)."""
        if (yield Load(gpa, U32)) == 0 and (yield Store(gpa + 16, now.ns, U64)):
            yield Store(gpa, 1, U32)

    def read(self, gpa: int) -> Program:
        """Guest: take the message; None if there is none."""
        if not (yield Load(gpa, U32)):
            return None
        message = yield Load(gpa + 16, U64)
        yield Store(gpa, 0, U32)
        return message


class EventFlags(Feature):
    """The event flags page: the host sets a bit."""

    name = "siefp"
    title = "SynIC event flags page"
    payload = struct("struct hv_event_flags { __u64 flags[32]; };")
    size = align = PAGE_SIZE
    update_when = "event"
    counted = Counted(
        "upper bound", "a flag that is still set is not set again", "QEMU hw/hyperv/hyperv.c, hyperv_set_event_flag"
    )
    linux_boot, linux_teardown = 4, 1
    source = "TLFS, SIEFP"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        yield Store(gpa, 1, U8)

    def read(self, gpa: int) -> Program:
        """Guest: take the flag; None if it is not set."""
        if not (yield Load(gpa, U8)):
            return None
        yield Store(gpa, 0, U8)
        return 1


class VpAssist(EventFlags):
    """The VP assist page: the host says in its first word that the guest need not write EOI."""

    name = "vp_assist"
    title = "VP assist page"
    payload = struct("struct hv_vp_assist_page { __u32 apic_assist; __u32 reserved; __u64 rest[4]; };")
    counted = Counted(
        "no bound",
        "KVM handles the bit as that of PV EOI: never, once or several times for an interrupt",
        "Linux 6.12 arch/x86/kvm/lapic.c, apic_sync_pv_eoi_to_guest; hyperv.c, kvm_hv_set_msr",
    )
    linux_boot, linux_teardown = 1, 2
    source = "TLFS, VP assist page"


class ReferenceTsc(Feature):
    """The reference TSC page of the VM: scale and offset, valid while the sequence is not 0."""

    name = "reference_tsc"
    title = "reference TSC page"
    payload = struct(
        "struct ms_hyperv_tsc_page { __u32 tsc_sequence; __u32 reserved1; __u64 tsc_scale; __s64 tsc_offset; };"
    )
    size = align = PAGE_SIZE
    scope = "vm"
    update_when = "registration"
    counted = Counted(
        "lower bound",
        "KVM writes the page once for each registration, and again when the master clock changes or is set",
        "Linux 6.12 arch/x86/kvm/hyperv.c, kvm_hv_setup_tsc_page, kvm_hv_request_tsc_page_update",
    )
    linux_boot, linux_teardown = 0, 4
    source = "TLFS, reference TSC page"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: kvm_hv_setup_tsc_page."""
        yield Store(gpa, 0, U32)
        yield Store(gpa + 8, 1 << 63, U64)
        yield Store(gpa, 1, U32)

    def read(self, gpa: int) -> Program:
        """Guest: return the scale, or None while the page is not valid (hv_read_tsc_page_tsc)."""
        if not (yield Load(gpa, U32)):
            return None
        return (yield Load(gpa + 8, U64))


class HypercallPage(Feature):
    """The hypercall page of the VM: the host puts the code there that makes a hypercall."""

    name = "hypercall_page"
    title = "hypercall page"
    payload = struct("struct hypercall_page { __u8 code[16]; };")
    size = align = PAGE_SIZE
    scope = "vm"
    update_when = "registration"
    counted = Counted(
        "exact",
        "the code is written once for each write of the register that enables the page",
        "Linux 6.12 arch/x86/kvm/hyperv.c, kvm_hv_set_msr_pw",
    )
    linux_boot, linux_teardown = 2, 3
    source = "TLFS, hypercall page"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: vmcall; ret."""
        yield Store(gpa, 0xC3C1_010F, U32)
