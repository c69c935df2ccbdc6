"""Atomic writing of results: a file or directory is either complete or unchanged, also if the process is killed."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.durable.guard import guarded
from workbench.durable.replace import PARTIAL, clear, mode_of_a_new_file, replace
from workbench.durable.workers import deaf_to_signals
from workbench.errors import WorkbenchError


def write_file(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with LF line ends; on an error the file is unchanged.

    A link is followed, and a file that exists keeps its mode. What is not a regular file (a device, a pipe) is written
    to as it is. Raises WorkbenchError if it cannot be written, OSError that names it if the writing fails.
    """
    check_output(path)
    try:
        if _is_special(path):
            path.write_text(text, encoding="utf-8", newline="\n")
        else:
            replace(_target(path), text)
    except OSError as error:  # the disk is full, for example: it could be written before
        error.filename = str(path)
        raise


def check_output(path: Path) -> None:
    """Raise WorkbenchError if ``path`` cannot be written; nothing is changed. To be called before the work begins."""
    try:
        if path.is_dir():
            raise WorkbenchError(f"cannot write {str(path)!r}: it is a directory; name a file")
        place = path if _is_special(path) else _target(path).parent
        if not place.exists():
            raise WorkbenchError(f"cannot write {str(path)!r}: there is no directory {str(place)!r}")
        if not place.is_dir() and not _is_special(path):
            raise WorkbenchError(f"cannot write {str(path)!r}: {str(place)!r} is not a directory")
        if not os.access(place, os.W_OK):
            raise WorkbenchError(f"cannot write {str(path)!r}: {str(place)!r} is not writable")
        if _is_read_only(path):
            raise WorkbenchError(f"cannot write {str(path)!r}: the file is read-only")
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """Yield a directory to write into; when the block ends without an exception, its files are moved into ``path``.

    After an exception in the block ``path`` is unchanged. Other files in ``path`` are kept.
    Raises WorkbenchError if ``path`` cannot be created.
    """
    made = [folder for folder in (path.absolute(), *path.absolute().parents) if not folder.exists()]
    partial = path.absolute() / f"{PARTIAL}{os.getpid()}-{secrets.token_hex(4)}"
    with guarded(partial, made):
        try:
            path.mkdir(parents=True, exist_ok=True)
            clear(path, PARTIAL)
            partial.mkdir(mode=0o700)
        except OSError as error:
            raise WorkbenchError(f"cannot write into directory {str(path)!r}: {error.strerror}") from error
        try:
            yield partial
            with deaf_to_signals():  # between two files the directory is neither old nor new
                _move_all(partial, path)
        except OSError as error:
            written = Path(error.filename) if isinstance(error.filename, str | Path) else partial
            if written.is_relative_to(partial):
                error.filename = str(path / written.relative_to(partial))  # the name that it was to have
            raise


def _target(path: Path) -> Path:
    """Return the file that is replaced: the one to which a link leads."""
    return path.resolve() if path.is_symlink() else path


def _is_special(path: Path) -> bool:
    """Tell whether ``path`` is, or leads to, something other than a file: a device, a pipe, an open file's name."""
    if path.is_absolute() and path.parts[1:2] in (("dev",), ("proc",)):
        return path.exists()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode)


def _is_read_only(path: Path) -> bool:
    # The superuser may write anything; a file without any permission to write is still meant to be kept.
    return path.is_file() and not path.stat().st_mode & 0o222


def _cannot(path: Path, error: Exception) -> WorkbenchError:
    return WorkbenchError(f"cannot write {str(path)!r}: {getattr(error, 'strerror', None) or error}")


def _move_all(source: Path, target: Path) -> None:
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.chmod(mode_of_a_new_file())
        file.replace(place)
