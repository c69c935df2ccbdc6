"""Calls of the C library that Python has no name for.

The rule kept here: each call gets integers and buffers that live until it returns, and a refusal is an OSError.
"""

import ctypes
import os
import struct
from typing import Any

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: Any) -> int:
    """Make a system call by its number; raise OSError if the kernel refuses.

    An argument is an integer, passed as C ``long``, bytes, of which the address is passed, or None.
    """
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *given))


def prctl(option: int, *arguments: Any) -> int:
    """Change something of this process (prctl(2)); up to four arguments, the others are 0. Raises OSError."""
    given = [*arguments, 0, 0, 0, 0][:4]
    longs = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in given]
    return _checked(_LIBC.prctl(ctypes.c_int(option), *longs))


def filter_calls(program: bytes) -> None:
    """Let ``program``, instructions of 8 bytes, decide about every system call from now on (PR_SET_SECCOMP)."""
    held = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and where they are
    whole = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, whole)


def drop_capabilities() -> None:
    """Give up all capabilities (capset(2), version 3): the superuser is then a user like others."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_LIBC.capset(header, nothing))


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
