"""No state in Python: attributes of a protocol and its features, of their classes, and globals of their modules.

Such state is seen by no engine and carried by no migration. A :class:`Held` remembers what these namespaces held before
a run; what differs afterwards is told with the line that changes it. A value that is computed once
(``functools.cached_property``) is no state.
"""

import ast
import inspect
import random
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from workbench.core.rules.place import by_author, is_authors, of_code
from workbench.core.rules.text import methods_of, module_file, tree_of
from workbench.errors import AuthorError

_CONTAINERS = (list, dict, set, bytearray, deque, defaultdict, Counter)
_ABSENT = object()


class Space(NamedTuple):
    """A namespace: how messages call it, its names, and the class whose text is searched for what changes them."""

    called: str
    names: Mapping[str, Any]
    kind: type


def _contents(value: Any, depth: int = 4) -> Any:
    """Return what a mutable value holds, to be compared later; the value itself if it is not known to be mutable."""
    if not _can_change(value):
        return value
    if depth and isinstance(value, _CONTAINERS):
        items = value.items() if isinstance(value, dict) else value
        return type(value), tuple(_contents(one, depth - 1) for one in items)
    if depth and isinstance(value, tuple):
        return tuple(_contents(one, depth - 1) for one in value)
    if type(value) is FunctionType:
        return _of_function(value)
    if isinstance(value, random.Random):
        return value.getstate()
    if hasattr(value, "__next__"):
        return repr(value) if type(value).__module__ == "itertools" else getattr(value, "gi_frame", None) is None
    if depth and _is_authors_object(value):
        return id(value), tuple((name, _contents(one, depth - 1)) for name, one in vars(value).items())
    return value


def _is_authors_object(value: Any) -> bool:
    """Tell whether a value is an object with attributes whose class neither Python nor the package defines."""
    kind = type(value)
    if kind.__module__ == "builtins" or kind.__module__.startswith("workbench.") or isinstance(value, type):
        return False
    return type(getattr(value, "__dict__", None)) is dict and not isinstance(value, ModuleType | FunctionType)


def _spaces(protocol: Any) -> Iterator[Space]:
    """The namespaces of a protocol and of its features that are an author's, instances always."""
    for thing in (protocol, *getattr(protocol, "features", ())):
        kind = type(thing)
        if thing is protocol or vars(thing):
            yield Space("self", vars(thing), kind)
        for one in _authors_classes(kind):
            yield Space(one.__name__, vars(one), one)
            module = sys.modules.get(one.__module__)
            if module is not None:
                yield Space("", vars(module), one)


_OWN: dict[type, tuple[type, ...]] = {}


def _authors_classes(kind: type) -> tuple[type, ...]:
    if kind not in _OWN:
        found = [one for one in kind.__mro__[:-2] if (file := module_file(one)) and is_authors(file)]
        _OWN[kind] = tuple(found)
    return _OWN[kind]


#: Whether a value of a type can change while it stays the same object, by type; what is not known to is not looked at.
_CHANGES: dict[type, bool] = {}


def _can_change(value: Any) -> bool:
    kind = type(value)
    if kind is tuple:
        return any(map(_can_change, value))
    if kind is FunctionType:
        return bool(value.__defaults__ or len(value.__dict__) > hasattr(value, "__wrapped__"))
    if kind not in _CHANGES:
        may = isinstance(value, (*_CONTAINERS, tuple, random.Random)) or hasattr(value, "__next__")
        _CHANGES[kind] = may or _is_authors_object(value)
    return _CHANGES[kind]


def _snapshot(names: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the names with their objects, and the contents of the objects that can change."""
    objects = dict(names)
    contents = {name: _contents(value) for name, value in objects.items() if _can_change(value) and name[:2] != "__"}
    return objects, contents


class Held:
    """What the namespaces of a protocol hold; :meth:`check` raises AuthorError if they hold something else now."""

    def __init__(self, protocol: Any) -> None:
        self.before = [(space, *_snapshot(space.names)) for space in _spaces(protocol)]

    def check(self) -> None:
        """Raise AuthorError, with the line that changes it, for the first name that has another value."""
        for space, objects, contents in self.before:
            objects_now, contents_now = _snapshot(space.names)
            if objects == objects_now and contents == contents_now:
                continue
            for name in dict.fromkeys((*objects, *objects_now)):
                was, now = (objects.get(name, _ABSENT), objects_now.get(name, _ABSENT))
                same = was is now or was == now
                if same and contents.get(name) == contents_now.get(name):
                    continue
                cached = isinstance(inspect.getattr_static(space.kind, name, None), cached_property)
                if not cached and name[:2] != "__":
                    raise AuthorError(_told(space, name, now))


def _of_function(function: FunctionType) -> Any:
    """Mutable default arguments and attributes of a function."""
    own: Any = getattr(function, "__wrapped__", function)
    if not own.__dict__ and not any(isinstance(one, _CONTAINERS) for one in own.__defaults__ or ()):
        return None
    return _contents(own.__defaults__ or ()), _contents(dict(own.__dict__))


def _told(space: Space, name: str, value: Any) -> str:
    called = f"{space.called}.{name}" if space.called else name
    where = _where_changed(space.kind, name) or f"class {space.kind.__name__}"
    return (
        f"{where}: {called} changed during a run (now {_shown(value)}): no engine sees it, no migration carries it, "
        "and programs run more than once; keep it by Set(registry(cpu.index, name), value), or in a local"
    )


def _shown(value: Any) -> str:
    return "gone" if value is _ABSENT else repr(value)


def _where_changed(kind: type, name: str) -> str | None:
    """Return the place of a method that mentions the attribute or global: one that assigns it, else any."""
    found: list[tuple[bool, str]] = []
    for method, function in methods_of(kind).items():
        node = tree_of(function.__code__)
        if method == name:
            found.append((True, of_code(function.__code__)))
        for one in ast.walk(node) if node is not None and method != "__init__" else ():
            if (getattr(one, "attr", None) or getattr(one, "id", None)) == name:
                is_stored = isinstance(getattr(one, "ctx", None), ast.Store)
                found.append((is_stored, of_code(function.__code__, one.lineno)))  # type: ignore[attr-defined]
    return next((where for is_stored, where in sorted(found, key=lambda one: not one[0])), None)


@contextmanager
def unchanged(protocol: Any) -> Iterator[None]:
    """Raise AuthorError if the run changes what the protocol or its features hold in Python, also if the run fails."""
    held = Held(protocol)
    try:
        yield
    except AuthorError:
        raise
    except BaseException as error:
        if not by_author(error):
            raise
        held.check()
        raise
    held.check()


