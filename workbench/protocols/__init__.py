"""The registration protocols, in one small file each, with numbered clauses R1.. at the top.

Every named ``Protocol`` class in a file of this folder is in PROTOCOLS; a file elsewhere is given by its path.
"""

import importlib.util
import inspect
import sys
from pathlib import Path

from workbench.core.catalogue import by_key, classes_in, modules_of
from workbench.core.contracts import Protocol
from workbench.errors import WorkbenchError
from workbench.protocols.generic import Generic
from workbench.protocols.null import Null
from workbench.protocols.per_feature import PerFeature

#: The files whose protocols come first in tables, in this order; all others follow in order of file names.
_FIRST = ("generic", "per_feature", "null")

PROTOCOLS: dict[str, type[Protocol]] = by_key(
    (kind for module in modules_of(__name__, __path__, _FIRST) for kind in classes_in(module, Protocol)),
    lambda kind: kind.name,
)

__all__ = ["PROTOCOLS", "Generic", "Null", "PerFeature", "find", "is_from_file"]


def find(name: str) -> type[Protocol]:
    """Return a protocol class by its name, or from ``path/to/file.py:Class``.

    Raises WorkbenchError if there is none; the message lists the known names or says what is wrong with the file.
    """
    if ".py" in name:
        return _from_file(name)
    if name not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise WorkbenchError(f"unknown protocol {name!r}; known: {known}, or path/to/file.py:Class")
    return PROTOCOLS[name]


def is_from_file(kind: type[Protocol]) -> bool:
    """Tell whether ``kind`` was found by a path, so that its module's name is the file's full path."""
    return Path(kind.__module__).is_absolute()


def _from_file(name: str) -> type[Protocol]:
    path_text, _, class_name = name.partition(":")
    path = Path(path_text)
    if not path.is_file():
        raise WorkbenchError(f"protocol file {path_text!r} does not exist")
    # The full path as module name cannot clash with another module; dataclasses need it in sys.modules.
    spec = importlib.util.spec_from_file_location(str(path.resolve()), path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise WorkbenchError(f"protocol file {path_text!r} does not load: {why}") from error
    own = {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Protocol) and value.__module__ == module.__name__
    }
    if not class_name and len(own) == 1:
        return next(iter(own.values()))
    if class_name not in own:
        wrong = f"has no protocol class {class_name!r}" if class_name else "names no class"
        raise WorkbenchError(f"protocol file {path_text!r} {wrong}; it defines: {', '.join(own) or 'none'}")
    return own[class_name]
