"""KVM's own hypercalls, which it answers under every protocol, and the numbers with which it refuses.

Source: Linux include/uapi/linux/kvm_para.h; arch/x86/kvm/x86.c, ____kvm_emulate_hypercall; for the page attributes
Documentation/virt/kvm/x86/hypercalls.rst, KVM_HC_MAP_GPA_RANGE.
"""

from collections.abc import Callable, Mapping

from workbench.core.memory import PAGE_SHIFT, PAGE_SIZE
from workbench.core.steps import KERNEL, USER, Hypercall, Program, Share, ToUser

KVM_ENOSYS, KVM_EPERM, KVM_EINVAL = 1000, 1, 22
KVM_HC_MAP_GPA_RANGE = 12
#: Attribute of KVM_HC_MAP_GPA_RANGE: the pages are encrypted, that is private (KVM_MAP_GPA_RANGE_ENCRYPTED).
ENCRYPTED = 1 << 4


def share(gpa: int, size: int, shared: bool = True) -> Hypercall:
    """Return the guest's step that makes the pages of [gpa, gpa+size) shared with the host, or private again."""
    first, last = gpa >> PAGE_SHIFT, (gpa + max(size, 1) - 1) >> PAGE_SHIFT
    attributes = 0 if shared else ENCRYPTED
    return Hypercall(KVM_HC_MAP_GPA_RANGE, (first << PAGE_SHIFT, last - first + 1, attributes))


def _map_gpa_range(arguments: tuple[int, ...]) -> Program:
    """Check the range as KVM does; the VMM then changes the attributes of the pages."""
    gpa, pages, attributes = (*arguments, 0, 0, 0)[:3]
    if gpa % PAGE_SIZE or not pages:
        return -KVM_EINVAL
    yield KERNEL, ToUser("map_gpa_range")
    yield USER, Share(gpa, pages * PAGE_SIZE, not attributes & ENCRYPTED)
    return 0


#: By number: the host's side of each, given the arguments.
KVM_HYPERCALLS: Mapping[int, Callable[[tuple[int, ...]], Program]] = {KVM_HC_MAP_GPA_RANGE: _map_gpa_range}
