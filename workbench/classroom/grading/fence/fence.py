"""Puts this process behind the fence: limits, no capabilities, a few files, few system calls."""

from __future__ import annotations

import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from workbench.classroom.grading.fence import calls, landlock
from workbench.classroom.grading.fence.libc import drop_capabilities, prctl
from workbench.paths import DATA

_PACKAGE = Path(__file__).resolve().parents[3]
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
#: What Python and its libraries open beside themselves; nothing here says anything of this machine's users.
_SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/share", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime",
    "/etc/fonts", "/etc/mime.types", "/dev/urandom", "/dev/zero", "/proc/meminfo", "/proc/cpuinfo",
    "/proc/self/stat", "/proc/self/statm", "/proc/self/status", "/proc/self/maps", "/sys/devices/system/cpu",
)  # fmt: skip


class Limits(NamedTuple):
    """How much a fenced process may use: seconds, bytes, open files."""

    cpu: int = 10  #: seconds of processor time
    wall: float = 30.0  #: seconds, whatever it does; held by the process that waits for it
    memory: int = 1 << 30  #: of address space, beyond what it has at its beginning
    file: int = 8 << 20  #: of one file
    disk: int = 32 << 20  #: of all files of its folder together; held by the process that waits for it
    told: int = 4 << 20  #: through its pipe; held there too
    files: int = 64  #: open at the same time


def why_not() -> str | None:
    """Return why this machine cannot hold the fence; None if it can."""
    if not sys.platform.startswith("linux"):
        return "the fence is made of Landlock and seccomp, which only Linux has"
    if not calls.is_known():
        return "the numbers of this machine's system calls are known for x86-64 and aarch64 only"
    if not calls.is_there():
        return "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)"
    if not landlock.version():
        return "this kernel has no Landlock (Linux 5.13; see CONFIG_LSM or lsm= at its start)"
    return None


def fenced(folder: Path, limits: Limits, parent: int, *, kernel: bool = True) -> None:
    """Put this process behind the fence for good; ``folder`` is all that it may write.

    It ends when ``parent``, the process that began it, does. ``kernel`` False: only with the limits (``why_not``).
    Raises OSError if the kernel refuses.
    """
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    for which, most in (
        (resource.RLIMIT_AS, used + limits.memory),
        (resource.RLIMIT_FSIZE, limits.file),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, _LEAST_PROCESSES),
    ):
        resource.setrlimit(which, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit is an OSError, as on a full disk
    os.chdir(folder)
    if sys.platform.startswith("linux"):
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it ended before the line above
    if not kernel:
        return
    drop_capabilities()
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict([*_readable()], [folder, Path("/dev/null")])
    calls.restrict()


#: Processes and threads of this user; the kernel counts none of the superuser's, whom the filter of calls holds.
_LEAST_PROCESSES = 1


def _readable() -> Iterator[Path]:
    yield from map(Path, _SYSTEM)
    yield _PACKAGE
    yield DATA.resolve()
    yield from {Path(path).resolve() for name, path in sysconfig.get_paths().items() if name.endswith("lib")}
