"""Imports the package with one file changed, in a process of its own, and records which lines of a file run."""

import ast
import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[2]
#: Compiled loops, which no protocol can change; imported again they would be compiled again.
KEPT = "workbench.engines.explore.numba_search"


def module_name(file: str) -> str:
    """Return the dotted name of a file of the tree."""
    return ".".join(Path(file).with_suffix("").parts)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a file's module from ``code`` in place of the file."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class Changed(importlib.abc.MetaPathFinder):
    """Finds the module of ``file``, with this text (or the statements of a tree) in place of what the file contains."""

    def __init__(self, file: str, text: str | ast.Module) -> None:
        self._name, self._path = module_name(file), str(ROOT / file)
        self._code: CodeType = compile(text, self._path, "exec")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Loader(fullname, self._path, self._code)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


def install(files: Mapping[str, str | ast.Module]) -> None:
    """Let every later import of these files see the given texts; what was imported before is imported again."""
    sys.meta_path[:0] = [Changed(file, text) for file, text in files.items()]
    if any(module_name(file) in sys.modules for file in files):
        for name in [name for name in sys.modules if name.startswith("workbench") and not name.startswith(KEPT)]:
            del sys.modules[name]


def record_lines(files: Sequence[str]) -> set[tuple[str, int]]:
    """Import ``files`` so that they tell which statements in functions run: (file, line) of each, in the set returned.

    A trace function would be called for every function of the explorer, which then takes three times as long.
    """
    ran: set[tuple[str, int]] = set()
    vars(builtins)[_RAN] = lambda file, line: ran.add((file, line))
    install({file: _Telling(file).visit(ast.parse((ROOT / file).read_text())) for file in files})
    return ran


#: A builtin, so that no name is added to the module, whose globals are watched (``workbench.core.rules``).
_RAN = "_statement_ran"


class _Telling(ast.NodeTransformer):
    """Puts before each statement in a function a call that tells its line."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Visit the statements in it."""
        self._depth += 1
        self._tell(node)
        self._depth -= 1
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit the statements of a loop or a condition, or what is in a class."""
        if self._depth:
            self._tell(node)
            return node
        return super().generic_visit(node)

    def _tell(self, node: ast.AST) -> None:
        for name in ("body", "orelse", "finalbody", "handlers"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, [new for one in block for new in self._told(one)])

    def _told(self, node: ast.AST) -> list[ast.AST]:
        changed = self.visit(node)
        if not isinstance(node, ast.stmt) or _is_text(node):
            return [changed]
        call = ast.parse(f"{_RAN}({self._file!r}, {node.lineno})").body[0]
        for part in ast.walk(call):
            ast.copy_location(part, node)
        return [call, changed]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
