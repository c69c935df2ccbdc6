"""A directory of finished pieces of work, so that a later run does not do them again (docs/decisions/0011).

The rules kept here: a piece is written only when it is finished, in one transaction; what is read was written by this
program and is whole, or the directory is refused and left as it is; one process at a time uses a directory. A piece is
data (JSON), never code.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from workbench.durable import content
from workbench.durable.guard import guarded_folder
from workbench.durable.lock import NAME, Lock
from workbench.durable.pool import Begin, NotSharedError
from workbench.durable.share import Jobs, numbered, shared
from workbench.errors import WorkbenchError

FILE = "pieces.sqlite"
#: In the header of the file: whose it is, and its format.
APPLICATION, FORMAT = 0x50565742, 1
_OURS = {FILE, f"{FILE}-wal", f"{FILE}-shm", f"{FILE}-journal", NAME}
#: ``about``: what a piece is of; ``key``: a digest of that; ``sort``: pieces of one sort can be listed.
_COLUMNS = ("key", "sort", "about", "value", "digest")
_TABLE = f"CREATE TABLE pieces ({', '.join(f'{name} TEXT NOT NULL' for name in _COLUMNS)}, PRIMARY KEY (key))"
_MAGIC, _HEADER = b"SQLite format 3\x00", 100


class Store:
    """The pieces in one directory, or none if there is no directory; see :func:`opened`.

    ``fresh``: what is kept already is not used, and is replaced piece by piece. ``note`` is called with messages.
    ``stopped`` tells whether the user has stopped the work, even if an author's program took no notice of that.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        fresh: bool = False,
        note: Callable[[str], None] = lambda text: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Open the directory, or make it. Raises WorkbenchError if it is in use, damaged, or not of this program."""
        self.folder, self.fresh, self.note, self.stopped = folder, fresh, note, stopped
        self.counts: list[Callable[[], str]] = []  #: each tells how much of something is kept
        self._database: sqlite3.Connection | None = None
        if folder is None:
            return
        try:
            _make(folder)
            self._lock = Lock(folder)
            try:
                _check(folder)
                self._database = _connected(folder / FILE)
            except BaseException:
                self._lock.release()
                raise
        except (OSError, sqlite3.Error) as error:
            raise WorkbenchError(f"state {str(folder)!r} cannot be used: {_reason(error)}") from error

    def close(self) -> None:
        """Close the file and give the directory back; may be called twice."""
        if self._database is not None:
            self._database.close()
            self._database = None
            self._lock.release()

    def batch(self, what: str, keys: Sequence[Any]) -> Batch:
        """Return the pieces that a run needs, in order; say how many are kept. ``what``: their name in messages."""
        found = Batch(self, what, keys)
        if self.folder is not None:
            self.counts.append(lambda: f"{len(found.kept)} of {found.total} {what}")
        return found

    def has(self, key: str) -> bool:
        """Tell whether a piece of an earlier run is kept and is to be used."""
        if self._database is None or self.fresh:
            return False
        return self._database.execute("SELECT 1 FROM pieces WHERE key = ?", [key]).fetchone() is not None

    def get(self, key: str) -> Any:
        """Return the piece with this key, which is kept."""
        assert self._database is not None
        (value,) = self._database.execute("SELECT value FROM pieces WHERE key = ?", [key]).fetchone()
        return json.loads(value)

    def all(self, sort: str) -> list[Any]:
        """Return the pieces of one sort that are kept, in the order in which they were finished."""
        if self._database is None or self.fresh:
            return []
        rows = self._database.execute("SELECT value FROM pieces WHERE sort = ? ORDER BY rowid", [sort])
        return [json.loads(value) for (value,) in rows]

    def put(self, sort: str, key: str, about: str, value: Any) -> None:
        """Keep a finished piece; it is safe from then on.

        Raises OSError if it cannot be written, and KeyboardInterrupt if the user has stopped the work: it may be wrong.
        """
        if self._database is None:
            return
        if self.stopped():
            raise KeyboardInterrupt
        text = json.dumps(value)
        try:
            row = (key, sort, about, text, _digest(key, sort, about, text))
            self._database.execute("INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise OSError(errno.EIO, _reason(error), str(self.folder)) from error

    def told(self) -> str:
        """Return what is kept of the work so far and how to go on, in words."""
        what = ", ".join(count() for count in self.counts) or "nothing yet"
        return f"kept in {str(self.folder)!r}: {what}; the same command goes on from there"


class Batch:
    """The pieces that a run needs: ``kept`` has the numbers of those that are kept, from an earlier run or by now."""

    def __init__(self, store: Store, what: str, keys: Sequence[Any]) -> None:
        self.what, self.total, self._store = what, len(keys), store
        self.kept: set[int] = set()
        self._keys: list[tuple[str, str]] = []
        if not self.keeps:
            return
        self._keys = [key_of(what, key) for key in keys]
        self.kept = {number for number, (key, _) in enumerate(self._keys) if store.has(key)}
        if self.kept:
            store.note(f"{len(self.kept)} of {self.total} {what} kept from an earlier run in {str(store.folder)!r}")

    @property
    def keeps(self) -> bool:
        """Whether there is a directory at all."""
        return self._store.folder is not None

    def get(self, number: int) -> Any:
        """Return a piece that is kept."""
        return self._store.get(self._keys[number][0])

    def keep(self, number: int, value: Any) -> None:
        """Keep a finished piece."""
        if self.keeps:
            self._store.put(self.what, *self._keys[number], value)
            self.kept.add(number)

    def each(
        self, work: Callable[[int], Any], *, complete: Callable[[Any], bool] = lambda value: True
    ) -> Iterator[Any]:
        """Yield every piece in order, those that are not kept made by ``work``; only a ``complete`` one is kept."""
        for number in range(self.total):
            if number in self.kept:
                yield self.get(number)
                continue
            value = work(number)
            if complete(value):
                self.keep(number, value)
            yield value

    def shared(
        self, begin: Begin, arguments: Sequence[Any], jobs: Jobs, *,
        complete: Callable[[Any], bool] = lambda value: True,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[Any]:  # fmt: skip
        """Yield every piece in order as ``each`` does; ``jobs`` share those that are not kept, by their numbers.

        ``progress(done, total)`` is called as pieces are finished. All is done here for one job, and where the work
        needs a class that no other process can find.
        """
        left = {number: number for number in range(self.total) if number not in self.kept}
        made, following, done = dict[int, Any](), 0, len(self.kept)
        with closing(_answered(left, begin, arguments, jobs)) as answered:
            for number, value in answered:
                made[number], done = value, done + 1
                if complete(value):
                    self.keep(number, value)
                if progress is not None:
                    progress(done, self.total)
                while following in made or (following in self.kept and following not in left):
                    yield made.pop(following) if following in left else self.get(following)
                    following += 1
        yield from map(self.get, range(following, self.total))


def _answered(
    left: Mapping[int, int], begin: Begin, arguments: Sequence[Any], jobs: Jobs
) -> Generator[tuple[int, Any], None, None]:
    """Yield number and value of what is ``left``, made by others, or here in order."""
    if not left:
        return
    if jobs != 1:
        with suppress(NotSharedError):  # raised before any work begins
            yield from shared(left, numbered, [begin, arguments], jobs)
            return
    with begin(*arguments) as (_, work):
        for number in left:
            yield number, work(number)


#: Keeps nothing.
NONE = Store(None)


@contextmanager
def opened(state: Store | Path | str | None, **options: Any) -> Iterator[Store]:
    """Yield the store of a directory, and close it; None keeps nothing. A store that is open already stays open.

    ``options`` are those of Store. A KeyboardInterrupt that ends the block is told what is kept (its ``__notes__``).
    Raises WorkbenchError as Store does.
    """
    if state is None or isinstance(state, Store):
        yield state or Store(None)
        return
    with closing(Store(Path(state), **options)) as store:
        try:
            yield store
        except KeyboardInterrupt as stop:
            stop.add_note(store.told())
            raise


def key_of(what: str, key: Any) -> tuple[str, str]:
    """Return the key of a piece of this program's present sources, and what it is made of."""
    about = json.dumps([what, key, content.workbench()], sort_keys=True)
    return hashlib.sha256(about.encode()).hexdigest(), about


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _connected(path: Path) -> sqlite3.Connection:
    """Open the file, and make its table if it is new."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'pieces'").fetchone():
            database.execute("BEGIN")
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
            database.execute(_TABLE)
            database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


# -- whose it is, and whether it is whole ----------------------------------------------------------------------------


def _make(folder: Path) -> None:
    """Make the directory; raise WorkbenchError if something else is there."""
    if folder.exists() and not folder.is_dir():
        raise WorkbenchError(f"state {str(folder)!r} is a file; name a directory, which is made if it is not there")
    folder.mkdir(exist_ok=True)
    names = {entry.name for entry in folder.iterdir()}
    if names - _OURS and FILE not in names:
        raise WorkbenchError(f"state {str(folder)!r} holds other files and no state; name a directory of its own")


def _check(folder: Path) -> None:
    """Raise WorkbenchError if the file is not one of this program or is not whole; nothing is changed."""
    path = folder / FILE
    beside = [folder / f"{FILE}{end}" for end in ("-wal", "-journal") if (folder / f"{FILE}{end}").exists()]
    if not path.exists() or (path.stat().st_size == 0 and not beside):
        return
    head = path.read_bytes()[:_HEADER]
    if head and not head.startswith(_MAGIC):
        raise WorkbenchError(f"state file {str(path)!r} is damaged, or not one of workbench; it is left as it is")
    if not beside:
        _look_through(path, f"{path.resolve().as_uri()}?immutable=1")
        return
    with guarded_folder() as copy:  # opening a file that a killed process left would change it
        for one in (path, *beside):
            shutil.copyfile(one, copy / one.name)
        _look_through(path, (copy / FILE).as_uri())


def _look_through(path: Path, address: str) -> None:
    """Raise WorkbenchError about ``path`` if the file at ``address`` is not of this program or not whole."""
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            (owner,), (form,) = (
                database.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
            )
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            if (owner, form, tables) == (0, 0, []):
                return  # its process was killed before the first transaction
            if owner != APPLICATION:
                raise WorkbenchError(f"state file {str(path)!r} is not one of workbench; it is left as it is")
            if form != FORMAT:
                raise WorkbenchError(f"state file {str(path)!r} is of format {form}; this program reads {FORMAT}")
            if database.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
                raise sqlite3.DatabaseError("it does not pass its own check")
            for *texts, digest in database.execute(f"SELECT {', '.join(_COLUMNS)} FROM pieces"):
                if _digest(*texts) != digest:
                    raise sqlite3.DatabaseError("a piece has changed since it was written")
    except (sqlite3.Error, TypeError, UnicodeError) as error:
        why = f"is damaged ({_reason(error)}); it is left as it is: name another directory, or delete it"
        raise WorkbenchError(f"state file {str(path)!r} {why}") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())


__all__ = ["APPLICATION", "FILE", "NONE", "Batch", "Store", "key_of", "opened"]
