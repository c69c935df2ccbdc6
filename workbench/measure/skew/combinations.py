"""The combinations of old and new guests, host kernels and VMMs, and what "old" means of each of them.

The patch of January 2011 kept its headers apart "to facilitate backports to people who wants to backport the kernel
part but not the hypervisor, or the other way around" (KVM-HDR 01/16). A combination is written ``GUEST/KERNEL/VMM``:

==========  =========================================================================================================
guest old   knows neither the design nor the feature: it makes no call, and uses the memory for something else
guest new   registers if CPUID offers it, as Linux does (arch/x86/kernel/kvm.c, kvm_para_has_feature)
guest blind registers without a look at CPUID
guest revoked  new; it revokes and starts an old kernel by kexec (arch/x86/kernel/kvm.c, kvm_pv_reboot_notify)
guest crashed  new; it ends without revoking, and an old kernel follows (kdump of a kernel before 3d6b84132d2a)
kernel old  does not claim the register, the hypercall or the device: #GP, or what the design says of unknown hypercalls
kernel ignore  the same under kvm.ignore_msrs=1 (Linux arch/x86/kvm/x86.c, kvm_do_msr_access)
kernel type    knows the call, but not this type of area; only for a design in which features share one call
VMM old     does not know the design's exit to user space, sets no CPUID bit for it, does not have its state in the
            migration stream
==========  =========================================================================================================

What follows the names, each behind a colon: ``hidden`` (CPUID does not offer what the host has), ``claimed`` (CPUID
offers what kernel or VMM do not know, as ``-cpu host,migratable=off`` may; QEMU target/i386/cpu.c,
x86_cpu_get_supported_feature_word), ``enforced`` (KVM_CAP_ENFORCE_PV_FEATURE_CPUID, Linux 66570e966dd9).
``+KERNEL/VMM`` moves the running machine to another host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from workbench.clayout.layout import Abi
from workbench.errors import WorkbenchError, not_known

OLD, NEW, BLIND, IGNORE, TYPE = "old", "new", "blind", "ignore", "type"
REVOKED, CRASHED = "revoked", "crashed"
GUESTS, KERNELS, VMMS = (OLD, NEW, BLIND, REVOKED, CRASHED), (OLD, NEW, IGNORE, TYPE), (OLD, NEW)
HIDDEN, CLAIMED, ENFORCED = "hidden", "claimed", "enforced"
SHORT, LONG, PADDING, I386 = "short", "long", "padding", "i386"


#: What the names say of each actor.
GUEST_SAID = {
    OLD: "a guest that knows nothing of it", NEW: "a guest that registers if CPUID offers it",
    BLIND: "a guest that registers without a look at CPUID",
    REVOKED: "a guest that registers, revokes, and starts an old kernel",
    CRASHED: "a guest that registers and ends without revoking, followed by an old kernel",
}  # fmt: skip
KERNEL_SAID = {
    OLD: "a kernel that claims nothing (#GP)", NEW: "a kernel that knows it",
    IGNORE: "a kernel that claims nothing, ignore_msrs=1", TYPE: "a kernel that knows the call, not this type of area",
}  # fmt: skip
VMM_SAID = {OLD: "a VMM that does not know it", NEW: "a VMM that knows it"}
WORD_SAID = {
    HIDDEN: "CPUID does not offer it", CLAIMED: "CPUID offers it all the same", ENFORCED: "what is hidden is enforced",
}  # fmt: skip
STRUCT_SAID = {SHORT: "without the newest field", LONG: "with the newest field"}


class HostAge(NamedTuple):
    """Kernel and VMM of one host."""

    kernel: str
    vmm: str

    @property
    def said(self) -> str:
        """Both in words."""
        return f"{KERNEL_SAID[self.kernel]}, {VMM_SAID[self.vmm]}"

    def __str__(self) -> str:
        return f"{self.kernel}/{self.vmm}"


@dataclass(frozen=True)
class Combination:
    """Guest, host, what CPUID says, and the host to which the machine moves."""

    guest: str
    host: HostAge
    offer: str = ""  #: HIDDEN, CLAIMED, or empty: CPUID offers what both kernel and VMM know
    enforced: bool = False
    to: HostAge | None = None

    @property
    def hosts(self) -> tuple[HostAge, ...]:
        """The hosts on which the machine runs, in order."""
        return (self.host, self.to) if self.to else (self.host,)

    def offers(self, *, by_vmm_alone: bool) -> bool:
        """Tell whether CPUID offers the design, or the feature where each has a call of its own: both must know it.

        ``by_vmm_alone``: what the VMM serves without the kernel's help, such as a device, is offered by the VMM.
        """
        known = self.host.vmm == NEW and (by_vmm_alone or self.host.kernel in (NEW, TYPE))
        return self.offer == CLAIMED or (known and self.offer != HIDDEN)

    def asks(self, *, offered: bool) -> bool:
        """Tell whether the guest registers."""
        return self.guest == BLIND or (self.guest != OLD and offered)

    @property
    def said(self) -> str:
        """The combination in words."""
        words = [WORD_SAID[word] for word in (self.offer, ENFORCED * self.enforced) if word]
        moves = [f"then it moves to {self.to.said}"] if self.to else []
        return "; ".join([f"{GUEST_SAID[self.guest]}, on {self.host.said}", *words, *moves])

    def __str__(self) -> str:
        words = [f"{self.guest}/{self.host}", *filter(None, [self.offer, ENFORCED * self.enforced])]
        return ":".join(words) + (f"+{self.to}" if self.to else "")


@dataclass(frozen=True)
class Growth:
    """A payload that got a field more: which of the two structs guest and host know, new/new otherwise.

    ``padding``: the field takes the place of padding, so that the size stays.
    """

    guest: str
    host: str
    padding: bool = False
    abi: Abi = Abi.X86_64

    @property
    def said(self) -> str:
        """The case in words."""
        place = "in place of padding" if self.padding else "at the end"
        sides = f"the guest's struct is {STRUCT_SAID[self.guest]}, the host's {STRUCT_SAID[self.host]}"
        return f"{sides}; the field is {place}; {self.abi.label} guest"

    def __str__(self) -> str:
        words = [f"{self.guest}/{self.host}", PADDING * self.padding, I386 * (self.abi is Abi.I386)]
        return ":".join(filter(None, words))


_HOSTS = tuple(HostAge(kernel, vmm) for kernel in KERNELS for vmm in VMMS)
BOOT = tuple(Combination(guest, host) for guest in (OLD, NEW, BLIND) for host in _HOSTS)
FOLLOWED = tuple(Combination(guest, HostAge(NEW, NEW)) for guest in (REVOKED, CRASHED))

_DESTINATIONS = (HostAge(NEW, NEW), HostAge(OLD, NEW), HostAge(TYPE, NEW), HostAge(NEW, OLD), HostAge(OLD, OLD))
_ALL_NEW = Combination(NEW, HostAge(NEW, NEW))
#: A guest that uses what its VMM does not know: the VMM does not save it.
_UNAWARE = Combination(NEW, HostAge(NEW, OLD), CLAIMED)


def _moved(one: Combination, to: HostAge) -> Combination:
    return Combination(one.guest, one.host, one.offer, one.enforced, to)


MOVES = (
    *(_moved(_ALL_NEW, to) for to in _DESTINATIONS),
    *(_moved(_UNAWARE, to) for to in _DESTINATIONS),
    _moved(Combination(OLD, HostAge(NEW, NEW)), HostAge(OLD, OLD)),
)
NEGOTIATION = (
    *(Combination(guest, HostAge(NEW, NEW), offer, enforced)
      for offer in ("", HIDDEN) for enforced in (False, True) for guest in (NEW, BLIND)),
    *(Combination(NEW, HostAge(*ages), CLAIMED) for ages in ((OLD, NEW), (IGNORE, NEW), (NEW, OLD), (OLD, OLD))),
)  # fmt: skip
GROWTH = tuple(
    Growth(guest, host, padding, abi)
    for abi in (Abi.X86_64, Abi.I386) for padding in (False, True) for guest in (SHORT, LONG) for host in (SHORT, LONG)
    if guest != host or not padding
)  # fmt: skip

#: The parts of the table, by name, with a title each.
PARTS: dict[str, tuple[str, tuple[Combination | Growth, ...]]] = {
    "boot": ("boot", BOOT),
    "kexec": ("an old kernel follows a new one in the guest", FOLLOWED),
    "move": ("a running machine moves", MOVES),
    "cpuid": ("what CPUID offers, and whether anybody heeds it", NEGOTIATION),
    "size": ("a payload has got one field more", GROWTH),
}
ALL: dict[str, Combination | Growth] = {str(one): one for _, several in PARTS.values() for one in several}


def read(text: str) -> Combination | Growth:
    """Return the combination that a text names; raise WorkbenchError for one that is none."""
    if text in ALL:
        return ALL[text]
    here, plus, there = text.partition("+")
    ages, *words = here.split(":")
    parts = ages.split("/")
    if len(parts) != 3 or set(words) - {HIDDEN, CLAIMED, ENFORCED} or {HIDDEN, CLAIMED} <= set(words):
        said = f"{text!r} names no combination: expected GUEST/KERNEL/VMM, then :hidden, :claimed or :enforced"
        raise WorkbenchError(f"{said}, then +KERNEL/VMM; or for example short/long:i386 (see workbench skew --help)")
    guest, kernel, vmm = parts
    _known("guest", guest, GUESTS, text)
    offer = next((word for word in words if word != ENFORCED), "")
    return Combination(guest, _host(kernel, vmm, text), offer, ENFORCED in words, _host_named(there, text, plus))


def _host_named(there: str, text: str, plus: str) -> HostAge | None:
    if not plus:
        return None
    kernel, slash, vmm = there.partition("/")
    if not slash:
        raise WorkbenchError(f"{text!r}: behind + is the host to which the machine moves, KERNEL/VMM, not {there!r}")
    return _host(kernel, vmm, text)


def _host(kernel: str, vmm: str, text: str) -> HostAge:
    _known("kernel", kernel, KERNELS, text)
    _known("VMM", vmm, VMMS, text)
    return HostAge(kernel, vmm)


def _known(actor: str, age: str, ages: tuple[str, ...], text: str) -> None:
    if age not in ages:
        raise not_known(f"{text!r}: a {actor} is not {age!r}", age, ages)
