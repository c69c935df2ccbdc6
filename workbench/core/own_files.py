"""The files of authors: a protocol, a feature or an event that is named by its path, ``path/to/file.py:Name``.

``:Name`` is a class in the file, or an instance of one; a file that defines a single one of the kind need not name it.
A path is relative to the current directory or to the file that names it, which is a script or another author's file.

The file is executed with all the rights of the user. It is executed once in a process, and again when it has changed;
its module is called by its full path, which no other module is called.
"""

import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from workbench.core.rules import place
from workbench.core.rules.place import by_author, raised, said
from workbench.errors import WorkbenchError, not_known
from workbench.reading import read_bytes

#: How one is named, in messages.
EXAMPLE = "path/to/file.py:Class"
_NAMED = re.compile(r"(?P<path>.*?\.py)(?::(?P<name>\w*))?", re.DOTALL)
_ENDS = re.compile(r"\.py(?!\w)")

#: Module name -> modification time and size of the file when it was executed.
_LOADED: dict[str, tuple[int, int]] = {}
#: Instances made of classes, by class, so that a feature is one object however often it is named.
_MADE: dict[type, Any] = {}
#: By id: a class or an instance, how it was named first, and a name by which every process finds it.
_NAMES: dict[int, tuple[Any, str, str]] = {}


class Sort(NamedTuple):
    """A kind of thing that a file can define; ``word`` is its name in messages."""

    word: str
    base: type
    made: bool = True  #: it is used as an instance, not as a class


def names_file(text: str) -> bool:
    """Tell whether ``text`` names something by its path, and not by a name of its own."""
    return ".py" in text


def split(text: str, separator: str) -> list[str]:
    """Return the parts of ``text`` between separators ("," or "+"), without those in the path of an existing file."""
    parts, start, at, begins = [], 0, 0, True
    while at < len(text):
        if begins and (end := _end_of_file(text, at)):
            at, begins = end, False
            continue
        if text[at] == separator:
            parts.append(text[start:at].strip())
            start = at + 1
        begins = text[at] in ",+" or (begins and text[at] == " ")
        at += 1
    return [*parts, text[start:].strip()]


def _end_of_file(text: str, start: int) -> int:
    """Return where the longest path of an existing file ends that starts at ``start``; 0 if there is none."""
    ends = reversed([match.end() for match in _ENDS.finditer(text, start)])
    return next((end for end in ends if _found(text[start:end])), 0)


def is_from_file(kind: type) -> bool:
    """Tell whether ``kind`` was found by a path, so that its module's name is the file's full path."""
    return Path(kind.__module__).is_absolute()


def named(thing: Any) -> str:
    """Return how a class or an instance was named first in this process: by its path, or by its own name."""
    return _NAMES[id(thing)][1] if id(thing) in _NAMES else str(thing.name)


def described(*things: Any) -> list[str]:
    """Return the name of each, and behind that of one from a file how it was named: ``mine (mine.py:Mine)``."""
    return [f"{one.name} ({named(one)})" if named(one) != one.name else str(one.name) for one in things]


def from_files(*things: Any) -> list[str]:
    """Return the descriptions of those that are from files, each once."""
    return described(*{id(one): one for one in things if named(one) != one.name}.values())


def loaded() -> tuple[str, ...]:
    """Return the full paths of the files that were executed, in this order."""
    return tuple(name for name in _LOADED if name in sys.modules)


def load(path: Path) -> None:
    """Execute the file at a full path, as :func:`find` does; raise WorkbenchError if it does not load."""
    (found,) = _places(str(path))
    _module(found, "file", f"file {str(path)!r}")


def named_anywhere(thing: Any) -> str:
    """Return a name by which any process on this machine finds it: the full path of its file, or its own name."""
    return _NAMES[id(thing)][2] if id(thing) in _NAMES else str(thing.name)


def is_named(thing: Any) -> bool:
    """Tell whether ``thing`` was found by the path of its file."""
    return id(thing) in _NAMES


def remember(thing: Any, text: str, anywhere: str) -> None:
    """Keep how ``thing`` was named, if it was not named before; ``thing`` is kept too."""
    _NAMES.setdefault(id(thing), (thing, text, anywhere))


def find(text: str, sort: Sort) -> Any:
    """Return the class or the instance that ``text`` names; raise WorkbenchError if there is none, with the reason."""
    if not text.isprintable():  # it is printed in tables, in exported models and in command lines
        raise WorkbenchError(f"{sort.word} {text!r} has characters that cannot be printed; rename the file")
    match = _NAMED.fullmatch(text)
    if match is None:
        raise WorkbenchError(f"{sort.word} {text!r} names no file: {EXAMPLE} is expected")
    path_text, name = match["path"], match["name"] or ""
    path = _found(path_text)
    if path is None:
        places = ", ".join(str(place) for place in _places(path_text))
        raise WorkbenchError(f"{sort.word} file {path_text!r} does not exist; looked at {places}")
    module = _module(path, f"{sort.word} file", f"{sort.word} file {path_text!r}")
    key, thing = _chosen(module, sort, name, path_text)
    if sort.made and isinstance(thing, type):
        thing = _instance(thing, f"{sort.word} file {path_text!r}")
    remember(thing, text, f"{module.__name__}:{key}")
    return thing


# -- where a file is -----------------------------------------------------------------------------------------------


def _found(path_text: str) -> Path | None:
    return next((path for path in _places(path_text) if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.exists()  # what is not a file is told when it is read
    except (OSError, ValueError):  # a name that is too long, for example
        return False


def _places(path_text: str) -> list[Path]:
    """Return the places where a path may lead, without duplicates: from here, and from the file that names it."""
    path = Path(path_text)
    if place.elsewhere is not None and path.is_absolute() and not path.is_relative_to(place.elsewhere):
        return [place.moved_into(place.elsewhere, path)]
    try:
        folders = [Path.cwd()]
    except OSError:  # the current directory was deleted
        folders = [Path()]
    folders += filter(None, [_folder_of_caller()])
    return list(dict.fromkeys(folder / path for folder in folders))


def _folder_of_caller() -> Path | None:
    """Return the folder of the nearest caller outside the package; None on a command line and in a notebook."""
    frame = sys._getframe()
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        package, _, rest = module.partition(".")
        if package != __name__.partition(".")[0]:
            file = frame.f_globals.get("__file__")
            return Path(file).resolve().parent if file and "site-packages" not in Path(file).parts else None
        if rest == "cli":
            return None
        frame = frame.f_back  # type: ignore[assignment]
    return None


# -- what a file defines -------------------------------------------------------------------------------------------


def _module(path: Path, what: str, called: str) -> ModuleType:
    """Return the module of a file, executed now unless it is known and unchanged."""
    name, state = str(place.at_home(path.resolve())), (path.stat().st_mtime_ns, path.stat().st_size)
    if _LOADED.get(name) == state and name in sys.modules:
        return sys.modules[name]
    text = read_bytes(path, what)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses look their module up while it is executed
    try:
        # Not the loader's exec_module: its cache takes an edit of the same size within a second for no edit.
        exec(compile(text, path, "exec", dont_inherit=True), vars(module))
    except BaseException as error:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        if not by_author(error):
            raise
        why = said(error) if isinstance(error, SyntaxError) else raised(error)
        raise WorkbenchError(f"{called} does not load: {why}") from error
    _LOADED[name] = state
    return module


def _chosen(module: ModuleType, sort: Sort, name: str, path_text: str) -> tuple[str, Any]:
    own = {key: value for key, value in vars(module).items() if _is_own(module, sort, key, value)}
    if not name:
        likely = _likely(own)
        if len(likely) == 1:
            return next(key for key, value in own.items() if value is likely[0]), likely[0]
    if name not in own:
        kind = "class" if not sort.made else "class or instance"
        wrong = f"has no {sort.word} {kind} {name!r}" if name else f"names no {kind}"
        raise not_known(f"{sort.word} file {path_text!r} {wrong}", name, own, lead="it defines")
    return name, own[name]


def _is_own(module: ModuleType, sort: Sort, key: str, value: Any) -> bool:
    if inspect.isclass(value):
        return issubclass(value, sort.base) and value.__module__ == module.__name__
    return sort.made and isinstance(value, sort.base) and not key.startswith("_")


def _likely(own: dict[str, Any]) -> list[Any]:
    """Return what a file is likely to be about: instances rather than their classes, classes that have a name."""
    instances = [value for value in own.values() if not isinstance(value, type)]
    classes = [value for value in own.values() if isinstance(value, type)]
    free = [kind for kind in classes if not any(type(value) is kind for value in instances)]
    found = [kind for kind in free if hasattr(kind, "name")] or ([] if instances else free)
    return list({id(one): one for one in [*found, *instances]}.values())


def _instance(kind: type, called: str) -> Any:
    if kind not in _MADE:
        try:
            _MADE[kind] = kind()
        except BaseException as error:
            if not by_author(error):
                raise
            advice = f"let the file hold an instance, MINE = {kind.__name__}(...), and name that"
            raise WorkbenchError(f"{called}: {kind.__name__}() raises {raised(error)}; {advice}") from error
    return _MADE[kind]
