"""Which system calls a process may make, held by a seccomp filter (Documentation/userspace-api/seccomp_filter.rst).

Refused are those by which it could begin threads or other processes, signal or trace them, reach a network, change what
belongs to files beside their content, lift its limits, or leave something behind that outlives it.
"""

import errno
import platform
import struct
from collections.abc import Iterator
from typing import NamedTuple

from workbench.classroom.grading.fence.libc import filter_calls, prctl

# <linux/filter.h>, <linux/seccomp.h>
_LOAD, _IS, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_PR_GET_SECCOMP = 21
_X32 = 0x40000000  # <asm/unistd.h> __X32_SYSCALL_BIT: a second table of numbers on x86-64


class _Machine(NamedTuple):
    audit: int  #: AUDIT_ARCH_* of <linux/audit.h>
    column: int  #: in the table below
    prlimit64: int


_MACHINES = {"x86_64": _Machine(0xC000003E, 0, 302), "aarch64": _Machine(0xC00000B7, 1, 261)}
#: name -> number on x86-64 and on aarch64 (None: not there)
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # further processes, threads and programs
    "fork": (57, None), "vfork": (58, None), "clone": (56, 220), "clone3": (435, 435),
    "execve": (59, 221), "execveat": (322, 281), "unshare": (272, 97), "setns": (308, 268),
    # other processes
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "process_madvise": (440, 440), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # limits, and this fence
    "setrlimit": (160, 164), "prctl": (157, 167), "seccomp": (317, 277), "capset": (126, 91),
    # networks, and other ways to the outside
    "socket": (41, 198), "io_uring_setup": (425, 425), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "open_by_handle_at": (304, 265), "mount": (165, 40), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "fanotify_init": (300, 262), "open_tree": (428, 428),
    # what belongs to files beside their content: Landlock leaves it alone, and truncate(2) before Linux 6.2
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
    "truncate": (76, 45), "mknod": (133, None), "mknodat": (259, 33), "flock": (73, 32),
    "fallocate": (285, 47),
    # memory that no limit counts, or that stays
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190),
    "msgget": (68, 186), "mq_open": (240, 180),
}  # fmt: skip


def is_known() -> bool:
    """Tell whether the numbers of this machine's system calls are known here."""
    return platform.machine() in _MACHINES


def is_there() -> bool:
    """Tell whether this kernel has seccomp."""
    try:
        return prctl(_PR_GET_SECCOMP) >= 0
    except OSError:
        return False


def restrict() -> None:
    """Refuse the calls of this module to this process from now on. ``PR_SET_NO_NEW_PRIVS`` must be set."""
    filter_calls(b"".join(_program(_MACHINES[platform.machine()])))


def _program(machine: _Machine) -> Iterator[bytes]:
    """Yield the instructions: each is its code, jumps if true and if false, and a number (struct sock_filter)."""
    refuse = _ERRNO | errno.EPERM
    yield _one(_LOAD, _ARCHITECTURE)
    yield _one(_IS, machine.audit, 1, 0)
    yield _one(_RETURN, _KILL)  # a call by another architecture's numbers, such as int 0x80
    yield _one(_LOAD, _NUMBER)
    yield _one(_AT_LEAST, _X32, 0, 1)
    yield _one(_RETURN, refuse)
    for numbers in _REFUSED.values():
        if (number := numbers[machine.column]) is not None:
            yield _one(_IS, number, 0, 1)
            yield _one(_RETURN, refuse)
    yield _one(_IS, machine.prlimit64, 0, 6)  # to ask for a limit is allowed: the new one, argument 2, is NULL
    for half in (0, 4):
        yield _one(_LOAD, _ARGUMENTS + 2 * 8 + half)
        yield _one(_IS, 0, 1, 0)
        yield _one(_RETURN, refuse)
    yield _one(_RETURN, _ALLOW)


def _one(code: int, number: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, number)
