"""Finds the classes and values that the files of a folder define, so that adding a file is enough to add one.

A :class:`Catalogue` holds those of a folder by name, and finds others by the path of their file.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Generic, TypeVar

from workbench.core import own_files
from workbench.errors import AuthorError, WorkbenchError, unknown

T = TypeVar("T")


def modules_of(package: str, paths: Sequence[str], first: Sequence[str] = ()) -> Iterator[ModuleType]:
    """Yield the modules in the folders ``paths`` of ``package``: those named by ``first``, then the rest by name.

    Files whose names begin with an underscore are left out. Raises ImportError if one of ``first`` does not exist.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(paths) if not found.name.startswith("_"))
    for name in (*first, *(name for name in names if name not in first)):
        yield importlib.import_module(f"{package}.{name}")


def classes_in(module: ModuleType, base: type[T]) -> Iterator[type[T]]:
    """Yield the subclasses of ``base`` that ``module`` itself defines, in order, if they set ``name`` themselves."""
    for value in vars(module).values():
        here = isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
        if here and isinstance(vars(value).get("name"), str):
            yield value


def values_in(module: ModuleType, kind: type[T]) -> Iterator[T]:
    """Yield the values of type ``kind`` that ``module`` holds under public names, in order of definition."""
    for name, value in vars(module).items():
        if isinstance(value, kind) and not name.startswith("_"):
            yield value


def by_key(found: Iterable[T], key: Callable[[T], str]) -> dict[str, T]:
    """Return ``found`` by their keys, in order; raise WorkbenchError if two different objects have the same key."""
    table: dict[str, T] = {}
    for one in found:
        if table.setdefault(key(one), one) is not one:
            raise WorkbenchError(f"two are called {key(one)!r}: {table[key(one)]!r} and {one!r}")
    return table


#: Stands for everything that ships, among the names of a choice.
ALL = "all"


@dataclass(frozen=True)
class Catalogue(Generic[T]):
    """What ships of one sort, by name; ``check`` raises WorkbenchError for one from a file that is not complete.

    ``beside``: what ships too, but is not meant by "all".
    """

    sort: own_files.Sort
    known: dict[str, T]
    check: Callable[[T], None] = lambda one: None
    beside: Mapping[str, T] = field(default_factory=dict)

    def find(self, name: str) -> T:
        """Return what has this name, or what ``path/to/file.py:Name`` names.

        Raises WorkbenchError if there is none, or if one from a file is not complete or is called as one that ships.
        """
        word = self.sort.word
        if not own_files.names_file(name):
            ships = {**self.known, **self.beside}
            if name not in ships:
                raise unknown(word, name, ships, more=f", or {own_files.EXAMPLE}")
            return ships[name]
        found: Any = own_files.find(name, self.sort)
        try:
            self.check(found)
        except AuthorError:
            raise  # says file and line itself
        except WorkbenchError as error:
            raise WorkbenchError(f"{word} {name}: {error}") from None
        called = getattr(found, "name", None)
        if isinstance(called, str) and (called in self.known or called in self.beside):
            raise WorkbenchError(f"{word} {name} is called {called!r}, as one that ships; give it another name")
        return found  # type: ignore[no-any-return]

    def single(self, named: str | T, found: tuple[T, ...]) -> T:
        """Return the only one of ``found``; raise WorkbenchError if ``named`` stands for several."""
        if len(found) != 1:
            raise WorkbenchError(f"{self.sort.word} {named!r} stands for {len(found)}; one is expected")
        return found[0]

    def all_names(self) -> str:
        """Return the names of what ships, and how one from a file is named."""
        return f"{', '.join(self.known)}, or {own_files.EXAMPLE}"

    def several(self, named: Iterable[str | T] | None, find: Callable[[str], T] | None = None) -> tuple[T, ...]:
        """Return those named, by name or themselves, in the order of the catalogue, others behind them as named.

        None, and the name "all", stand for all that ship. ``find``: how a name is found, if not by :meth:`find`.
        Raises WorkbenchError for an unknown name, for no name, and if two different ones have the same name.
        """
        found: list[T] = []
        for one in (ALL,) if named is None else named:
            found += self.known.values() if one == ALL else [(find or self.find)(one) if isinstance(one, str) else one]
        if not found:
            raise WorkbenchError(f"no {self.sort.word} named", self.known, more=f", or {own_files.EXAMPLE}")
        by_name: dict[str, T] = {}
        for thing in found:
            name = str(getattr(thing, "name", thing))
            if by_name.setdefault(name, thing) != thing:
                raise WorkbenchError(f"two different {self.sort.word}s are called {name!r}; rename one of them")
        shipped = {name: one for name, one in self.known.items() if by_name.get(name) == one}
        return (*shipped.values(), *(one for name, one in by_name.items() if name not in shipped))
