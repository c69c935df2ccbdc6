"""Finds the classes and values that the files of a folder define, so that adding a file is enough to add one."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import TypeVar

from workbench.errors import WorkbenchError

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
        if here and "name" in vars(value):
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
