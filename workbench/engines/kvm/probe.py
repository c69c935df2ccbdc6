"""Finds out whether KVM can be used here, why not, and what this KVM is; every result shows its one line.

The rule kept here: whether guest kernel code is executed by the CPU or emulated by KVM decides how far results
may be trusted, so it is measured, not guessed from a name. Nothing here raises.
"""

import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path

from workbench.engines.kvm.api import cpuid, ioctl
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import EngineError, WorkbenchError

#: The only API version since Linux 2.6.22; api.rst tells users to refuse any other.
API_VERSION = 12

_MODULES = Path("/sys/module")
_LOOPS = 2000
#: ns per iteration of DEC, JNZ: if the loop is slower than this, KVM emulates it.
_NATIVE_NS = 100.0


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of a probe; ``line`` sums it up."""

    available: bool
    reason: str  #: why not, in one line; empty if available
    what_to_do: str  #: advice in one line; empty if available
    kernel: str  #: release of the running kernel
    module: str = "unknown"  #: vendor module, for example kvm_intel
    api_version: int = 0
    capabilities: dict[str, int] = field(default_factory=dict)  #: by name; 0 means absent
    pv_features: int = 0  #: CPUID 0x40000001 EAX that KVM can offer
    emulated: bool | None = None  #: is guest kernel code emulated? None: not measured

    @property
    def missing(self) -> tuple[str, ...]:
        """Capabilities that this engine can use and this KVM lacks."""
        return tuple(name for name, value in self.capabilities.items() if not value)

    @property
    def line(self) -> str:
        """One line of text: what this KVM is, or why there is none."""
        if not self.available:
            return f"kvm: not available: {self.reason}; {self.what_to_do}"
        return f"kvm: Linux {self.kernel}, {self.module}, API {self.api_version}; {_HOW[self.emulated]}"


_HOW = {
    True: "guest kernel code is emulated: outcomes are real, timings and exit counters no hardware's",
    False: "guest code runs natively",
    None: "native or emulated guest code: could not be measured",
}


def can_open() -> bool:
    """Tell whether /dev/kvm opens for reading and writing. Cheap; says nothing about what is behind it."""
    try:
        os.close(os.open(ioctl.DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def probe() -> Probe:
    """Probe KVM: open the device, query it, and run a short loop on a vCPU (some milliseconds)."""
    kernel = platform.release()
    try:
        fd = os.open(ioctl.DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        reason, advice = ioctl.explain_open(error)
        return Probe(False, reason, advice, kernel)
    try:
        return _ask(fd, kernel)
    except (WorkbenchError, OSError) as error:
        reason = error.reason if isinstance(error, EngineError) else str(error)
        return Probe(False, reason, _advice(error), kernel, module=_module())
    finally:
        os.close(fd)


def _ask(fd: int, kernel: str) -> Probe:
    version = ioctl.call(fd, ioctl.KVM_GET_API_VERSION)
    if version != API_VERSION:
        reason = f"{ioctl.DEVICE} speaks API version {version}, not {API_VERSION}"
        return Probe(False, reason, "use a KVM of Linux 2.6.22 or later", kernel, api_version=version)
    return Probe(
        available=True,
        reason="",
        what_to_do="",
        kernel=kernel,
        module=_module(),
        api_version=version,
        capabilities={c.name: ioctl.check_extension(fd, c) for c in ioctl.CAPABILITIES},
        pv_features=cpuid.pv_features(cpuid.supported(fd)),
        emulated=_is_emulated(),
    )


def _is_emulated() -> bool:
    """Let a vCPU count in kernel mode and see whether KVM emulated the instructions. Raises as Guest does."""
    with Guest(limit=1.0) as guest:
        if not guest.vm.has(ioctl.CAP_BINARY_STATS):
            return _is_slow(guest)
        before = guest.vcpu(0).stats()
        guest.count(0, _LOOPS)
        after = guest.vcpu(0).stats()
        if "insn_emulation" not in after:
            return _is_slow(guest)
        return after["insn_emulation"] - before["insn_emulation"] >= _LOOPS


def _is_slow(guest: Guest) -> bool:
    iterations = 20 * _LOOPS  # long enough that the cost of one exit does not matter
    fastest = min(_count_ns(guest, iterations) for _ in range(3))  # slower runs met a busy machine
    return fastest / iterations > _NATIVE_NS


def _count_ns(guest: Guest, iterations: int) -> int:
    began = time.perf_counter_ns()
    guest.count(0, iterations)
    return time.perf_counter_ns() - began


def _module() -> str:
    """Return the vendor module's name; several, joined by "or", if the kernel does not say which."""
    try:
        names = sorted(path.name for path in _MODULES.glob("kvm_*"))
    except OSError:
        names = []
    return " or ".join(names) or "unknown"


def _advice(error: Exception) -> str:
    if "EBUSY" in str(error):
        return "another hypervisor holds the CPU's virtualization; stop it (VirtualBox, VMware)"
    if "ENOMEM" in str(error) or "EMFILE" in str(error):
        return "free memory or descriptors (ulimit -n) and try again"
    return "look for KVM messages in the kernel log, and try another program on /dev/kvm (QEMU)"
