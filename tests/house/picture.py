"""The picture in ARCHITECTURE.md, drawn from the imports: ``python -m tests.house.picture`` prints it.

With ``--write`` it goes into ARCHITECTURE.md, between the two comments that name this command. A room is a package or
a module directly below ``workbench``; a package inside a package is an inner room. Each room stands one row above the
highest of those that it imports.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.house.imports import PACKAGE, ROOT, Graph, dotted, graph, modules

PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- python -m tests.house.picture --write -->\n", "<!-- end of the picture -->\n"
WIDTH = 100
#: Not shown: the package itself, which is only a version, and the module that makes ``python -m workbench`` work.
DOORS = {"", "__main__"}


def room(module: str) -> str:
    """Return the room of a module, as ``core`` for ``workbench.core.steps``."""
    return module.partition(".")[2].partition(".")[0]


def rooms(edges: Graph) -> dict[str, set[str]]:
    """Return the rooms, and for each those that it imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, targets in edges.items():
        found[room(module)] |= {room(target) for target in targets} - {room(module)} - DOORS
    return {name: targets for name, targets in found.items() if name not in DOORS}


def rows(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the rooms of each row, the highest row first. Raises RecursionError for rooms that form a circle."""

    @cache
    def height(name: str) -> int:
        return max((height(target) + 1 for target in imports[name]), default=0)

    return [sorted(name for name in imports if height(name) == row) for row in range(max(map(height, imports)), -1, -1)]


def inner(name: str, package: Path = PACKAGE) -> list[str]:
    """Return the names of a room's inner rooms."""
    return sorted(path.parent.name for path in (package / name).glob("*/__init__.py"))


def drawn(names: list[str]) -> list[str]:
    """Draw the rooms of a row as boxes side by side: a name, below it the inner rooms."""
    texts = {name: (name, " | ".join(inner(name))) for name in names}
    two_lines = any(below for _, below in texts.values())
    boxes = []
    for texts_of_one in texts.values():
        width = max(map(len, texts_of_one))
        edge = f"+{'-' * (width + 2)}+"
        boxes.append([edge, *(f"| {text:^{width}} |" for text in texts_of_one[: 1 + two_lines]), edge])
    return ["   ".join(lines).center(WIDTH).rstrip() for lines in zip(*boxes, strict=True)]


def sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, without its full stop."""
    paragraph = " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\w|`)\.(?: |$)", paragraph, maxsplit=1)[0].rstrip(".")


def described(imports: Mapping[str, set[str]], order: list[str]) -> list[str]:
    """Return a table: for each room, and each room in it, what it is; and which rooms it imports, the highest first."""
    lines = ["| room | what it is | imports |", "| --- | --- | --- |"]
    for name in order:
        targets = ", ".join(sorted(imports[name], key=order.index)) or "nothing"
        packages = [path for path in modules() if path.name == "__init__.py" and room(dotted(path)) == name]
        for path in packages or [PACKAGE / f"{name}.py"]:
            where = path.parent.relative_to(PACKAGE).as_posix() if packages else name
            lines.append(f"| `{where}` | {sentence(path)} | {targets if where == name else ''} |")
    return lines


def picture() -> str:
    """Return the picture and its table as Markdown."""
    imports = rooms(graph())
    layers = rows(imports)
    arrow = "v".center(WIDTH).rstrip()
    boxes = f"\n{arrow}\n".join("\n".join(drawn(names)) for names in layers)
    table = "\n".join(described(imports, [name for names in layers for name in names]))
    return f"```\n{boxes}\n```\n\n{table}\n"


def put(page: str, text: str) -> str:
    """Return the page with ``text`` between the two comments."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"the page has no line {BEGIN!r}"
    assert end, f"the page has no line {END!r}"
    return f"{before}{begin}{text}{end}{after}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(put(PAGE.read_text(), picture()))
    else:
        print(picture(), end="")
