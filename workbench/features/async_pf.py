"""Asynchronous page fault: the host tells the guest that a page it touched is being loaded, and later that it is ready.

The host writes ``flags`` = 1 for "page not present" and a ``token`` for "page ready"; the guest clears the
word when it has taken the event, and the host delivers the next event only after that (Linux
Documentation/virt/kvm/x86/msr.rst, MSR_KVM_ASYNC_PF_EN; arch/x86/kvm/x86.c, apf_put_user_notpresent).
It needs an interrupt vector and control bits in addition to an address. A descriptor {base, size, type}
has no field for them; a numbered clause of each protocol says where the vector goes.
"""

from workbench.clayout.layout import U32, Abi, struct
from workbench.core.contracts import Compared, Counted, Feature, Hidden
from workbench.core.kvm_registers import HYPERVISOR_CALLBACK_VECTOR, KVM_REGISTERS
from workbench.core.steps import Load, Moment, Program, Store

KVM_VCPU_PV_APF_DATA = struct("""
struct kvm_vcpu_pv_apf_data {
    __u32 flags;
    __u32 token;
    __u8  pad[56];
};
""")

TOKEN_OFFSET = KVM_VCPU_PV_APF_DATA.on(Abi.X86_64).offset_of("token")


class AsyncPf(Feature):
    """struct kvm_vcpu_pv_apf_data, one per vCPU."""

    name = "async_pf"
    title = "async page fault"
    payload = KVM_VCPU_PV_APF_DATA
    size = 64
    align = 64
    update_when = "event"
    counted = Counted(
        "lower bound",
        "for a page that is ready, and for the wake-all, KVM writes a token, as here; it has also written flags if the "
        "guest took a fault for the page, which no run here does",
        "Linux 6.12 arch/x86/kvm/x86.c, kvm_arch_async_page_present (apf_put_user_ready), "
        "kvm_arch_async_page_not_present (apf_put_user_notpresent)",
    )
    registers = KVM_REGISTERS["async_pf"]
    compared = Compared(mailbox="token")
    hidden = Hidden(
        "up to 64 outstanding faults for each vCPU, their hash, an id counter, pageready_pending",
        "enabling queues a wake-all (token 0xffffffff): the guest faults again",
        "Linux 6.12 virt/kvm/async_pf.c, kvm_async_pf_wakeup_all",
    )
    linux_boot = 1
    linux_teardown = 3
    source = "Linux 6.12 arch/x86/include/uapi/asm/kvm_para.h"

    def prepare(self, gpa: int) -> Program:
        """Guest: no event pending; the vector in the first reserved word, for protocols without a register for it."""
        yield Store(gpa, self.payload(pad=HYPERVISOR_CALLBACK_VECTOR.to_bytes(4, "little") + bytes(52)))

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: a page is ready. Write its token, unless the guest has not yet taken the last one."""
        token = yield Load(gpa + TOKEN_OFFSET, U32)
        if token == 0:
            yield Store(gpa + TOKEN_OFFSET, now.ns & 0xFFFF_FFFF or 1, U32)

    def read(self, gpa: int) -> Program:
        """Guest: return the token of the page that is ready and clear it; None if there is no token."""
        token = yield Load(gpa + TOKEN_OFFSET, U32)
        if token == 0:
            return None
        yield Store(gpa + TOKEN_OFFSET, 0, U32)
        return token
