"""The content of what is asked about, as plain data: two equal descriptions stand for the same source texts.

What ships is described by name, because :func:`workbench` covers all of its sources. What an author wrote is described
by the text of its file, of the modules that it imports from outside the installed packages, and of the files that it
names in a string, each of these in turn. What a file computes (a name made at run time, an environment variable) is not
seen.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from workbench.core import own_files
from workbench.errors import WorkbenchError
from workbench.paths import DATA

_PACKAGE = Path(__file__).resolve().parents[1]
#: What came with Python, and what pip has installed, which may be below it. What an author imports of it is not read.
_PYTHON = Path(sysconfig.get_path("stdlib")).resolve()
_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))
#: Libraries whose version may show in a result.
_LIBRARIES = ("numpy", "numba", "pandas")
_LONGEST_NAME = 500  #: characters of a string that may be the name of a file
_LARGEST = 1 << 24  #: bytes of a file named in a string that is read


@functools.cache
def workbench() -> str:
    """Return a digest of everything in this package, with the versions of Python and of the libraries that count."""
    digest = hashlib.sha256()
    for path in sorted((*_PACKAGE.rglob("*.py"), *(file for file in DATA.rglob("*") if file.is_file()))):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    told = [sys.implementation.cache_tag, *map(str, sys.version_info)]
    told += [f"{name} {version}" for name, version in _versions().items()]
    digest.update("\n".join(told).encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return what two machines must have in common for the same results: Python, libraries, and this package."""
    python = f"{sys.implementation.cache_tag} {sys.version.split()[0]}"
    return {"Python": python, **_versions(), "workbench": workbench()[:12]}


def _versions() -> dict[str, str]:
    from importlib import metadata  # takes 30 ms to load, and is needed only if results are kept

    found = {}
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def described(thing: Any) -> Any:
    """Return ``thing`` as data that JSON holds: values as they are, objects by class, fields and source texts.

    Raises WorkbenchError for what has no source text: a class of a notebook's cell, for example.
    """
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing if type(thing) in (type(None), bool, int, float, str) else [type(thing).__qualname__, str(thing)]
    if isinstance(thing, bytes):
        return ["bytes", thing.hex()]
    if isinstance(thing, Enum):
        return [type(thing).__qualname__, thing.name]
    if isinstance(thing, Mapping):
        return ["map", sorted(([described(key), described(value)] for key, value in thing.items()), key=repr)]
    if isinstance(thing, set | frozenset):
        return ["set", sorted(map(described, thing), key=repr)]
    if isinstance(thing, tuple | list):
        return [*_named_tuple(thing), *map(described, thing)]
    return _object(thing)


def _named_tuple(thing: Any) -> list[str]:
    return [type(thing).__qualname__] if hasattr(thing, "_fields") else []


def _object(thing: Any) -> Any:
    if isinstance(thing, type):
        return ["class", thing.__qualname__, *_sources(*(kind.__module__ for kind in thing.__mro__))]
    if isinstance(thing, functools.partial):
        return ["partial", described(thing.func), described(thing.args), described(thing.keywords)]
    if isinstance(thing, MethodType):
        return ["method", thing.__name__, described(thing.__self__)]
    if isinstance(thing, FunctionType | BuiltinFunctionType):
        inside = [described(cell.cell_contents) for cell in getattr(thing, "__closure__", None) or ()]
        return ["function", thing.__qualname__, inside, *_sources(thing.__module__)]
    named = own_files.named_anywhere(thing) if hasattr(thing, "name") else ""
    path, _, name = named.rpartition(":")
    if Path(path).is_absolute():  # made by the author's file, whose text says all
        return ["from file", name, *_texts(Path(path))]
    return ["object", described(type(thing)), described(vars(thing)) if hasattr(thing, "__dict__") else repr(thing)]


def _sources(*modules: str) -> list[list[str]]:
    """Return the texts behind modules that are neither this package's nor installed."""
    found: dict[str, list[str]] = {}
    for module in dict.fromkeys(modules):
        path = _file_of(module)
        if path is None and module == "__main__":
            raise WorkbenchError(
                "what is defined at a prompt or in a notebook has no file whose text could be compared, so that no "
                "state can be kept of it; write it into a file, and name that: path/to/file.py:Class"
            )
        if path is not None and not _is_installed(path):
            found |= {text[1]: text for text in _texts(path)}
        elif path is not None and _is_a_package(path):  # a class of a package that somebody has installed
            found |= {str(path): [path.name, hashlib.sha256(_content(path)).hexdigest()]}
    return list(found.values())


def _file_of(module: str) -> Path | None:
    if Path(module).is_absolute():
        return Path(module)
    with suppress(ImportError, AttributeError, ValueError):
        if module in sys.modules:
            file = getattr(sys.modules[module], "__file__", None)
        else:
            spec = importlib.util.find_spec(module)
            file = spec.origin if spec is not None and spec.has_location else None
        return Path(file).resolve() if file else None
    return None


def _is_installed(path: Path) -> bool:
    return path.is_relative_to(_PACKAGE) or path.is_relative_to(_PYTHON) or _is_a_package(path)


def _is_a_package(path: Path) -> bool:
    return not path.is_relative_to(_PACKAGE) and any(path.is_relative_to(folder) for folder in _INSTALLED)


def _texts(path: Path) -> list[list[str]]:
    """Return the name and a digest of a file, and of every file that it uses, in the order in which they are found."""
    return [[file.name, hashlib.sha256(text).hexdigest()] for file, text in files_of(path).items()]


def files_of(path: Path) -> dict[Path, bytes]:
    """Return the contents of a file and of every file that it uses, by full path, in the order in which they are found.

    Raises WorkbenchError if one cannot be read.
    """
    found: dict[Path, bytes] = {}
    ahead = [path.resolve()]
    while ahead:
        file = ahead.pop(0)
        if file in found:
            continue
        content = _content(file)
        found[file] = content
        if file.suffix == ".py":
            ahead += _used(file, content)
    return found


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise WorkbenchError(f"{str(file)!r} cannot be read: {error.strerror}") from error


def _used(file: Path, content: bytes) -> Iterator[Path]:
    """Yield the files that a Python file imports or names in a string, without those that are installed."""
    with suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(content)):
            for path in _named_by(node, file.parent):
                if not _is_installed(path):
                    yield path


def _named_by(node: ast.AST, folder: Path) -> Iterator[Path]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            above = node.module or ""
            names = [above, *(f"{above}.{name}" for name in names)]
        yield from filter(None, (_file_of(name) or _beside(folder, name) for name in names if name))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= _LONGEST_NAME:
        for place in (folder, Path()):
            for name in {node.value, node.value.partition(":")[0]}:
                path = place / name
                with suppress(OSError, ValueError):
                    if name and path.is_file() and path.stat().st_size <= _LARGEST:
                        yield path.resolve()


def _beside(folder: Path, module: str) -> Path | None:
    path = folder / f"{module.replace('.', '/')}.py"
    return path.resolve() if path.is_file() else None
