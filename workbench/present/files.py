"""Atomic writing of results: a file or directory is either complete or unchanged."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import WorkbenchError


def write_file(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with LF line ends; on an error the file is unchanged.

    Raises WorkbenchError if it cannot be written.
    """
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise WorkbenchError(f"cannot write {str(path)!r}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        _as_others_may_read(Path(partial))
        Path(partial).replace(path)
    except OSError as error:
        raise WorkbenchError(f"cannot write {str(path)!r}: {error.strerror}") from error
    finally:
        Path(partial).unlink(missing_ok=True)


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """Yield a directory to write into; when the block ends without an exception, its files are moved into ``path``.

    After an exception in the block ``path`` is unchanged. Other files in ``path`` are kept.
    Raises WorkbenchError if ``path`` cannot be created or written.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    partial = None
    try:
        try:
            path.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=path))
        except OSError as error:
            raise WorkbenchError(f"cannot write into directory {str(path)!r}: {error.strerror}") from error
        yield partial
        try:
            _move_all(partial, path)
        except OSError as error:
            raise WorkbenchError(f"cannot write into directory {str(path)!r}: {error.strerror}") from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _move_all(source: Path, target: Path) -> None:
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        _as_others_may_read(file)
        file.replace(place)


def _as_others_may_read(path: Path) -> None:
    """Give a temporary file, which only its owner may read, the permissions of an ordinary file."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
