"""Which files a process may read and write, held by Landlock (Linux 5.13; Documentation/userspace-api/landlock.rst).

Behind it a process cannot trace one outside (so not read its memory or its descriptors under /proc), from Linux 6.7 on
it cannot open TCP connections, and from 6.12 on it cannot send signals to processes outside.
"""

import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from workbench.classroom.grading.fence.libc import syscall

# <asm-generic/unistd.h>: the same numbers on all architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
# <linux/landlock.h>
_CREATE_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SYM, _REFER = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12, 1 << 13
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER
#: Rights on files that exist, in versions 1 (Linux 5.13), 2 (5.19), 3 (6.2) and 5 (6.10) of the interface.
_KNOWN = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP, _TCP_SINCE = 0b11, 4
_SCOPES, _SCOPES_SINCE = 0b11, 6  # abstract UNIX sockets, signals


def version() -> int:
    """Return the version of the interface that this kernel has; 0 if it has none, or if it is switched off."""
    with suppress(OSError, AttributeError):
        return syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    return 0


def restrict(readable: Sequence[Path], writable: Sequence[Path]) -> None:
    """Let this process open only what is in or below these paths from now on; those that do not exist are left out.

    ``PR_SET_NO_NEW_PRIVS`` must be set. What is open already stays open.
    """
    known = version()
    handled = _KNOWN[min(known, max(_KNOWN))]
    tcp, scopes = _TCP * (known >= _TCP_SINCE), _SCOPES * (known >= _SCOPES_SINCE)
    attributes = struct.pack("=QQQ", handled, tcp, scopes)
    size = 8 * (1 + (known >= _TCP_SINCE) + (known >= _SCOPES_SINCE))
    rules = syscall(_CREATE_RULESET, attributes, size, 0)
    try:
        for path in readable:
            _allow(rules, path, _READ & handled)
        for path in writable:
            _allow(rules, path, _WRITE & handled)
        syscall(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE  # the kernel refuses rights of directories on a file
        rule = struct.pack("=Qi", rights, place)
        syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(place)
