"""Finds every import between the modules of a package, and the circles that the imports form.

Imports inside functions and under TYPE_CHECKING count like any other: to understand a module one has to understand
the modules it names. So does a string that is the whole name of a module, because such strings are imported later. That
Python loads a module's package before the module does not count.
"""

import ast
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workbench"

#: Importer -> imported -> where the first of the statements stands, as ``path:line``.
Graph = Mapping[str, Mapping[str, str]]


def modules(package: Path = PACKAGE) -> list[Path]:
    return sorted(package.rglob("*.py"))


def dotted(path: Path, package: Path = PACKAGE) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str, module: str, is_package: bool, names: set[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted module) of everything that ``source``, the text of ``module``, imports."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{origin}.{alias.name}"
                yield node.lineno, full if full in names else origin
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            named = node.args[0] if node.args else None
            if isinstance(named, ast.Constant) and isinstance(named.value, str) and named.value not in names:
                yield node.lineno, named.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names:
            yield node.lineno, node.value


def graph(package: Path = PACKAGE) -> Graph:
    """Return the imports between the modules of a package."""
    paths = {dotted(path, package): path for path in modules(package)}
    found: dict[str, dict[str, str]] = {name: {} for name in paths}
    for name, path in paths.items():
        for line, target in imported(path.read_text(), name, path.name == "__init__.py", set(paths)):
            if target in paths and target != name:
                found[name].setdefault(target, f"{path.relative_to(package.parent)}:{line}")
    return found


def circles(edges: Graph) -> list[list[str]]:
    """Return a shortest circle for each knot of modules that import each other, from its first module back to it.

    Modules are of one knot if each can be reached from the other; a knot may hold several circles.
    """
    reached = {name: _reached(edges, name) for name in edges}
    knots = {frozenset({name, *(other for other in reached[name] if name in reached[other])}) for name in edges}
    return [_shortest(edges, knot) for knot in sorted(map(sorted, knots)) if len(knot) > 1]


def _reached(edges: Graph, start: str) -> set[str]:
    found, ahead = set(), [start]
    while ahead:
        for target in edges[ahead.pop()]:
            if target not in found:
                found.add(target)
                ahead.append(target)
    return found


def _shortest(edges: Graph, knot: list[str]) -> list[str]:
    return min((_back_to(edges, knot, start) for start in knot), key=len)


def _back_to(edges: Graph, knot: list[str], start: str) -> list[str]:
    """Return the shortest way from ``start`` through modules of its knot to ``start`` again."""
    ways = deque([[start]])
    seen: set[str] = set()
    while True:  # a knot has a way back from everywhere
        way = ways.popleft()
        for target in sorted(edges[way[-1]].keys() & set(knot) - seen):
            if target == start:
                return [*way, start]
            seen.add(target)
            ways.append([*way, target])


def told(edges: Graph, circle: list[str]) -> str:
    """Return a circle as text: one line for each import, with the place where it stands."""
    return "\n".join(f"{one} imports {other} ({edges[one][other]})" for one, other in pairwise(circle))
