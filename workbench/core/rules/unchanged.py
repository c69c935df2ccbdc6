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
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property, lru_cache
from operator import attrgetter
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from workbench.core.rules.declared import at_class
from workbench.core.rules.place import by_author, is_authors, shown
from workbench.core.rules.text import module_file, module_tree
from workbench.core.rules.wording import value_said
from workbench.errors import AuthorError

_CONTAINERS = (list, dict, set, bytearray, deque, defaultdict, Counter)
_PLAIN_CONTAINERS = (list, dict, set)
#: Types of which no value can change while it stays the same object, as far as values of them were met.
_STILL: set[type] = {int, bool, str, bytes, type(None)}
_ABSENT = object()
#: Of so many designs the classes are remembered: a notebook defines the same class again and again.
_REMEMBERED = 64


class _Space(NamedTuple):
    """A namespace: how messages call it, and the class whose text is searched for what changes its names."""

    called: str
    kind: type
    feature: Any = None  #: whose attributes these are


def _contents(value: Any, depth: int = 4) -> Any:
    """Return what a mutable value holds, to be compared later; the value itself if it is not known to be mutable."""
    kind = type(value)
    if kind in _STILL:
        return value
    if kind in _PLAIN_CONTAINERS:
        items = value.values() if kind is dict else value
        if _STILL.issuperset(map(type, items)) or not any(map(_can_change, items)):
            return value.copy()
    return _contents_of_changing(value, depth) if _can_change(value) else value


def _contents_of_changing(value: Any, depth: int) -> Any:
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


@cache
def _authors_classes(kind: type) -> tuple[type, ...]:
    return tuple(one for one in kind.__mro__[:-2] if (file := module_file(one)) and is_authors(file))


@lru_cache(_REMEMBERED)
def _shared_of(kinds: tuple[type, ...]) -> tuple[tuple[type, type | ModuleType], ...]:
    """Return the classes and modules that are an author's, each with a class of it, for the types of instances."""
    found: dict[type | ModuleType, type] = {}
    for one in dict.fromkeys(one for kind in kinds for one in _authors_classes(kind)):
        found[one] = one
        if one.__module__ in sys.modules:
            found.setdefault(sys.modules[one.__module__], one)
    return tuple((kind, owner) for owner, kind in found.items())


def _can_change(value: Any) -> bool:
    kind = type(value)
    if kind in _STILL:
        return False
    if kind is tuple:
        return not _STILL.issuperset(map(type, value)) and any(map(_can_change, value))
    if kind is FunctionType:
        own = _wrapped(value)
        return bool(own.__defaults__ or own.__closure__ or own.__dict__ or len(value.__dict__) > (own is not value))
    may = isinstance(value, (*_CONTAINERS, tuple, random.Random)) or hasattr(value, "__next__")
    if may or _is_authors_object(value):
        return True
    _STILL.add(kind)
    return False


class _Look(NamedTuple):
    """What a namespace held at one time: its names with their objects, and the contents of those that can change."""

    objects: dict[str, Any]
    contents: dict[str, Any]


class _Known(NamedTuple):
    """What the last look at a class or module found: most runs find the same."""

    objects: dict[str, Any]
    changing: list[str]  #: names of objects that can change
    functions: list[FunctionType]
    attributes: int  #: of these functions


_KNOWN: dict[type | ModuleType, _Known] = {}


def _of_instance(names: dict[str, Any]) -> _Look:
    """Look at an instance. Functions are not its author's: who runs a protocol puts them there, to watch it."""
    return _Look(names.copy(), {name: _contents(one) for name, one in names.items() if type(one) is not FunctionType})


_NOTHING = _Look({}, {})


def _of_shared(owner: type | ModuleType) -> _Look:
    """Look at a class or a module."""
    objects = dict(vars(owner))
    known = _KNOWN.get(owner)
    # A function of which nothing can change may still get an attribute.
    if known is None or known.objects != objects or known.attributes != _attributes(known.functions):
        if len(_KNOWN) > _REMEMBERED:
            _KNOWN.clear()
        kernels = _of_kernel(objects)
        named = {name: value for name, value in objects.items() if name[:2] != "__" and name not in kernels}
        functions = [value for value in named.values() if type(value) is FunctionType]
        changing = [name for name, value in named.items() if _can_change(value)]
        known = _KNOWN[owner] = _Known(objects, changing, functions, _attributes(functions))
    return _Look(objects, {name: _contents(objects[name]) for name in known.changing})


def _of_kernel(names: dict[str, Any]) -> Collection[str]:
    """Return what a notebook's kernel keeps among its author's names: exit, open, In, Out and others."""
    shell = getattr(names.get("get_ipython"), "__self__", None)
    return getattr(shell, "user_ns_hidden", ())


def _attributes(functions: list[FunctionType]) -> int:
    return sum(map(len, map(attrgetter("__dict__"), functions)))


class Held:
    """What the namespaces of a protocol hold; :meth:`check` raises AuthorError if they hold something else now."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.things = (protocol, *getattr(protocol, "features", ()))
        self.names: list[dict[str, Any]] = [vars(thing) for thing in self.things]
        self.shared = _shared_of(tuple(map(type, self.things)))
        self.before = self._look()

    def _look(self) -> list[_Look]:
        own = [_of_instance(names) if names else _NOTHING for names in self.names]
        return own + [_of_shared(owner) for _, owner in self.shared]

    def check(self) -> None:
        """Raise AuthorError, with the line that changes it, for the first name that has another value."""
        after = self._look()
        if after == self.before:
            return
        for space, was, now in zip(self._spaces(), self.before, after, strict=True):
            for name in dict.fromkeys((*was.objects, *now.objects)):
                if _is_same(was, now, name) or _is_cached(space.kind, name) or name[:2] == "__":
                    continue
                if space.feature:
                    self._put_back(space.feature, was.objects)
                raise AuthorError(_told(space, type(self.protocol), name, now.objects.get(name, _ABSENT)))

    def _spaces(self) -> Iterator[_Space]:
        """Say what each look is at, in the order of ``_look``."""
        yield _Space("self", type(self.protocol))
        for thing in self.things[1:]:
            yield _Space(str(thing.name), type(thing), thing)
        for kind, owner in self.shared:
            yield _Space("" if isinstance(owner, ModuleType) else owner.__name__, kind)

    @staticmethod
    def _put_back(feature: Any, objects: dict[str, Any]) -> None:
        """Undo a change of a feature, which is one object for all designs of a process."""
        own = vars(feature)
        for name in [name for name in own if name not in objects]:
            del own[name]
        own.update(objects)


def _is_same(was: _Look, now: _Look, name: str) -> bool:
    before, after = was.objects.get(name, _ABSENT), now.objects.get(name, _ABSENT)
    return (before is after or before == after) and was.contents.get(name) == now.contents.get(name)


def _is_cached(kind: type, name: str) -> bool:
    """Tell whether an attribute is computed once and kept, which is no state."""
    return isinstance(inspect.getattr_static(kind, name, None), cached_property)


def _of_function(function: FunctionType) -> Any:
    """What a function keeps between calls: default arguments, attributes, and locals of the function that made it."""
    own = _wrapped(function)
    attributes = {**own.__dict__, **function.__dict__}
    attributes.pop("__wrapped__", None)
    return _contents(own.__defaults__ or ()), _contents(attributes), tuple(_enclosed(own))


def _wrapped(function: FunctionType) -> FunctionType:
    """Return the function that another one wraps, if it is written in Python: a builtin has no default arguments."""
    wrapped = getattr(function, "__wrapped__", function)
    return wrapped if isinstance(wrapped, FunctionType) else function


def _enclosed(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # empty: the enclosing function has not set it yet
            # Another function of the same enclosure may refer back to this one: its own cells are not followed.
            yield _contents(cell.cell_contents, 0 if isinstance(cell.cell_contents, FunctionType) else 3)


def _told(space: _Space, protocol: type, name: str, value: Any) -> str:
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
