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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from workbench.core.rules.declared import at_class
from workbench.core.rules.place import by_author, is_authors, shown
from workbench.core.rules.text import module_file, module_tree
from workbench.core.rules.wording import value_said
from workbench.errors import AuthorError

_CONTAINERS = (list, dict, set, bytearray, deque, defaultdict, Counter)
_ABSENT = object()


class Space(NamedTuple):
    """A namespace: how messages call it, its names, and the class whose text is searched for what changes them."""

    called: str
    names: Mapping[str, Any]
    kind: type
    shared: Any = None  #: the feature whose attributes these are


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
        return _of_function(value) if depth else value
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
        if thing is protocol:
            yield Space("self", vars(thing), kind)
        else:
            yield Space(str(thing.name), vars(thing), kind, thing)
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
        return bool(value.__defaults__ or value.__closure__ or len(value.__dict__) > hasattr(value, "__wrapped__"))
    if kind not in _CHANGES:
        may = isinstance(value, (*_CONTAINERS, tuple, random.Random)) or hasattr(value, "__next__")
        _CHANGES[kind] = may or _is_authors_object(value)
    return _CHANGES[kind]


def _snapshot(space: Space) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the names with their objects, and the contents of the objects that can change.

    A function that an instance holds was put there by whoever runs it, to watch it; it is not the author's.
    """
    objects, is_watched = dict(space.names), space.called == "self"
    contents = {
        name: _contents(value)
        for name, value in objects.items()
        if _can_change(value) and name[:2] != "__" and not (is_watched and type(value) is FunctionType)
    }
    return objects, contents


class Held:
    """What the namespaces of a protocol hold; :meth:`check` raises AuthorError if they hold something else now."""

    def __init__(self, protocol: Any) -> None:
        self.kind = type(protocol)
        self.before = [(space, *_snapshot(space)) for space in _spaces(protocol)]

    def check(self) -> None:
        """Raise AuthorError, with the line that changes it, for the first name that has another value."""
        for space, objects, contents in self.before:
            objects_now, contents_now = _snapshot(space)
            if objects == objects_now and contents == contents_now:
                continue
            for name in dict.fromkeys((*objects, *objects_now)):
                was, now = (objects.get(name, _ABSENT), objects_now.get(name, _ABSENT))
                same = was is now or was == now
                if same and contents.get(name) == contents_now.get(name):
                    continue
                cached = isinstance(inspect.getattr_static(space.kind, name, None), cached_property)
                if not cached and name[:2] != "__":
                    if space.shared:
                        self._put_back(space, objects)
                    raise AuthorError(_told(space, self.kind, name, now))

    @staticmethod
    def _put_back(space: Space, objects: dict[str, Any]) -> None:
        """Undo a change of a feature, which is one object for all designs of a process."""
        own = vars(space.shared)
        for name in [name for name in own if name not in objects]:
            del own[name]
        own.update(objects)


def _of_function(function: FunctionType) -> Any:
    """What a function keeps between calls: default arguments, attributes, and locals of the function that made it."""
    own: Any = getattr(function, "__wrapped__", function)
    return _contents(own.__defaults__ or ()), _contents(dict(own.__dict__)), tuple(_enclosed(own))


def _enclosed(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # empty: the enclosing function has not set it yet
            # Another function of the same enclosure may refer back to this one: its own cells are not followed.
            yield _contents(cell.cell_contents, 0 if isinstance(cell.cell_contents, FunctionType) else 3)


def _told(space: Space, protocol: type, name: str, value: Any) -> str:
    called = f"{space.called}.{name}" if space.called else name
    where = _where_changed((space.kind, *_authors_classes(protocol)), name) or at_class(space.kind)
    now = "" if isinstance(value, FunctionType) else f" (now {'gone' if value is _ABSENT else value_said(value)})"
    what = f"what the function {called} keeps between its calls" if isinstance(value, FunctionType) else called
    return (
        f"{where}: {what} changed during a run{now}: no engine sees it, no migration carries it, "
        "and programs run more than once; keep it by Set(registry(cpu.index, name), value), or in a local"
    )


def _where_changed(kinds: Iterable[type], name: str) -> str | None:
    """Return the place of a function that mentions the attribute or global: one that assigns it, else any."""
    found: list[tuple[int, str]] = []
    for kind in dict.fromkeys(kinds):
        tree = module_tree(kind)
        for qualified, function in _functions_in(tree, "") if tree is not None else ():
            file = module_file(kind)
            if function.name == name:
                found.append((1, f"{shown(file, function.lineno)}: {qualified}"))
            for node in ast.walk(function) if function.name != "__init__" else ():
                rank = _mentions(node, name)
                if rank is not None:
                    found.append((rank, f"{shown(file, node.lineno)}: {qualified}"))  # type: ignore[attr-defined]
    return min(found, key=lambda one: one[0])[1] if found else None


def _functions_in(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions of a file, each with its qualified name."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            if isinstance(one, ast.FunctionDef):
                yield prefix + one.name, one
            yield from _functions_in(one, f"{prefix}{one.name}.")


def _mentions(node: ast.AST, name: str) -> int | None:
    """Tell how a piece of text mentions a name: 0 assigns it, 2 names it, 3 as a text (setattr); None: not at all."""
    if (getattr(node, "attr", None) or getattr(node, "id", None)) == name:
        return 0 if isinstance(getattr(node, "ctx", None), ast.Store) else 2
    return 3 if isinstance(node, ast.Constant) and node.value == name else None


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


