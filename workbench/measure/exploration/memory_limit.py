"""How much memory a search may take if nobody says: half of what this process may still use.

What it may use is the least of the machine's memory, the limits of its control groups (Linux cgroups v2 ``memory.max``
and v1 ``memory.limit_in_bytes``, its own group and all above: the kernel charges each), and the limits of its address
space and data (RLIMIT_AS, RLIMIT_DATA; setrlimit(2)), less what of these two it uses already.
"""

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import WorkbenchError

_ROOT = Path("/")
#: Version of cgroups -> the file that holds a group's limit in bytes, or the word "max".
_LIMIT = {2: "memory.max", 1: "memory.limit_in_bytes"}
#: Limit of this process -> the column of /proc/self/statm (in pages) that says how much of it is used.
_USED = {resource.RLIMIT_AS: 0, resource.RLIMIT_DATA: 5}


def half_of_memory(sharing: int = 1) -> int | None:
    """Return half of the memory, in bytes, that this process may use; None if nothing says how much that is.

    ``sharing``: how many processes that do the same share the machine and the groups; limits of a process are its own.
    """
    shared = (most // sharing for most in (*machines_memory(), *limits_of_groups()))
    known = [*shared, *limits_of_process()]
    return max(min(known) // 2, 1) if known else None


def half_of_disk(folder: Path) -> int:
    """Return half of what is free in the file system of a directory; raise WorkbenchError if there is none."""
    try:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return max(shutil.disk_usage(folder).free // 2, 1)
    except OSError as error:
        raise WorkbenchError(f"{str(folder)!r} cannot take states: {error.strerror}; name a directory") from error


def machines_memory() -> Iterator[int]:
    """Yield the size of the machine's memory in bytes, if the system reports it."""
    try:
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return


def limits_of_process() -> Iterator[int]:
    """Yield, for each limit that is set, how many bytes are left of it."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
        used = [int(word) * os.sysconf("SC_PAGE_SIZE") for word in pages]
    except (OSError, ValueError):
        used = [0] * 7
    for limit, column in _USED.items():
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield max(soft - used[column], 0)


def limits_of_groups(root: Path = _ROOT) -> Iterator[int]:
    """Yield the limits, in bytes, of the control groups of this process; ``root`` holds ``proc`` and the mounts."""
    for version, group in _groups(root):
        for mount, top in _mounts(root, version):
            # In a container the mount shows a group of its own, ``top``, as its root (cgroup_namespaces(7)).
            inside = group.relative_to(top) if group.is_relative_to(top) else Path()
            for folder in (inside, *inside.parents):
                yield from _bytes(root / mount.relative_to("/") / folder / _LIMIT[version])


def _groups(root: Path) -> Iterator[tuple[int, Path]]:
    """Yield (version, group) of this process from lines ``number:controllers:path`` (cgroups(7), /proc/PID/cgroup)."""
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" or "memory" in controllers.split(","):
            yield 2 if number == "0" else 1, Path(path)


def _mounts(root: Path, version: int) -> Iterator[tuple[Path, Path]]:
    """Yield (mount point, root of the mount) of the memory hierarchies (proc(5), /proc/PID/mountinfo)."""
    for line in _lines(root / "proc/self/mountinfo"):
        front, _, back = line.partition(" - ")
        fields, kind, options = front.split(), *back.split()[::2]
        if kind == "cgroup2" if version == 2 else kind == "cgroup" and "memory" in options.split(","):
            yield Path(fields[4]), Path(fields[3])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _bytes(path: Path) -> Iterator[int]:
    for line in _lines(path)[:1]:
        if line.strip().isdigit():  # otherwise "max"
            yield int(line)
