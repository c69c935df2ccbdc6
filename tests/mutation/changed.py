"""Imports the package with one file changed, in a process of its own, and records which lines of a file run."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Compiled loops, which no protocol can change; imported again they would be compiled again.
KEPT = "workbench.engines.explore.numba_search"


def module_name(file: str) -> str:
    """Return the dotted name of a file of the tree."""
    return ".".join(Path(file).with_suffix("").parts)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self._text, self.path, "exec")
        return code


class Changed(importlib.abc.MetaPathFinder):
    """Finds the module of ``file`` with ``text`` in place of what the file contains."""

    def __init__(self, file: str, text: str) -> None:
        self._name, self._path, self._text = module_name(file), str(ROOT / file), text

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Loader(fullname, self._path, self._text)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


def install(file: str, text: str) -> None:
    """Let every later import of ``file`` see ``text``; what was imported before is imported again."""
    sys.meta_path.insert(0, Changed(file, text))
    if module_name(file) in sys.modules:
        for name in [name for name in sys.modules if name.startswith("workbench") and not name.startswith(KEPT)]:
            del sys.modules[name]


@contextmanager
def lines_run(files: Sequence[str]) -> Iterator[set[tuple[str, int]]]:
    """A context that collects (file, line) of every line of ``files`` that runs in it."""
    names = {str(ROOT / file): file for file in files}
    seen: set[tuple[str, int]] = set()

    def on_line(frame: FrameType, event: str, argument: Any) -> Any:
        seen.add((names[frame.f_code.co_filename], frame.f_lineno))
        return on_line

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        return on_line(frame, event, argument) if frame.f_code.co_filename in names else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield seen
    finally:
        sys.settrace(before)
