"""Replaces a file: it is either the old one or the complete new one, also if the process is killed.

What is being written has no name, or one of its own beside its target, with the number of the process; what a process
that is no longer there left behind is removed by the next one that writes to the same place.
"""

import os
import secrets
import shutil
import stat
from contextlib import suppress
from glob import escape
from pathlib import Path

PARTIAL = ".partial-"


def replace(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with LF line ends; a file that exists keeps its mode. Raises OSError."""
    prefix = f".{target.name}{PARTIAL}"
    clear(target.parent, prefix)
    partial = target.parent / f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else mode_of_a_new_file()
    handle, has_name = _opened(partial)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
            if not has_name:
                # Only with a descriptor does Python ask for linkat(2), which follows the link in /proc to the file.
                os.link(f"/proc/self/fd/{handle}", partial, src_dir_fd=handle, follow_symlinks=True)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _opened(partial: Path) -> tuple[int, bool]:
    """Open a new file to write to, where possible one without a name, of which a killed process leaves nothing."""
    if Path("/proc/self/fd").exists():
        with suppress(OSError):  # not every file system has such files
            return os.open(partial.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), False
    return os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), True


def clear(folder: Path, prefix: str) -> None:
    """Remove what processes that no longer exist left under names with this prefix."""
    for left in folder.glob(f"{escape(prefix)}*"):
        number = left.name.removeprefix(prefix).partition("-")[0]
        if number.isdigit() and not Path(f"/proc/{number}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def mode_of_a_new_file() -> int:
    """Return the permissions that an ordinary new file has."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
