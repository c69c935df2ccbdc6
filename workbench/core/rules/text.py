"""The text of an author's functions and classes as syntax trees."""

import ast
import inspect
import linecache
from functools import lru_cache
from types import CodeType, FunctionType


@lru_cache(maxsize=64)
def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


@lru_cache(maxsize=64)
def _functions(text: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """Every function of a file, by name and first line (that of its first decorator)."""
    tree = _parsed(text)
    found = {}
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found[node.name, first] = node
    return found


def _text(file: str) -> str:
    linecache.checkcache(file)
    return "".join(linecache.getlines(file))


def tree_of(code: CodeType) -> ast.FunctionDef | None:
    """Return the definition of a function; None if its text is not at hand. The lines are those of the file."""
    return _functions(_text(code.co_filename)).get((code.co_name, code.co_firstlineno))


def methods_of(kind: type) -> dict[str, FunctionType]:
    """Return the functions that a class itself defines, without what wraps them; those of properties too."""
    found = {}
    for name, value in vars(kind).items():
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        function = inspect.unwrap(function) if callable(function) else function
        if isinstance(function, FunctionType) and function.__module__ == kind.__module__:
            found[name] = function
    return found


def module_file(kind: type) -> str:
    """Return the file that defines a class; "" if it is not known (a class without methods in a notebook)."""
    for function in methods_of(kind).values():
        return function.__code__.co_filename
    try:
        return inspect.getfile(kind)
    except (TypeError, OSError):
        return ""


def module_tree(kind: type) -> ast.Module | None:
    """Return the tree of the file, or of the notebook cell, that defines a class."""
    return _parsed(_text(module_file(kind)))


def class_node(kind: type) -> ast.ClassDef | None:
    """Return the definition of a class, the last of its name."""
    tree = module_tree(kind)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)] if tree is not None else []
    return next((node for node in reversed(found) if node.name == kind.__name__), None)
