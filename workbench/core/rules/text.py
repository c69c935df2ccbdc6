"""The text of an author's functions as syntax trees, by their code."""

import ast
import linecache
from functools import lru_cache
from types import CodeType


@lru_cache(maxsize=64)
def _functions(text: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """Every function of a file, by name and first line (that of its first decorator)."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found[node.name, first] = node
    return found


def tree_of(code: CodeType) -> ast.FunctionDef | None:
    """Return the definition of a function; None if its text is not at hand. The lines are those of the file."""
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename))
    return _functions(text).get((code.co_name, code.co_firstlineno))
