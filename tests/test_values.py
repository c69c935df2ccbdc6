"""Slots, programs and steps are values: no module parses text that another module wrote for people.

Texts can be reworded freely only if no code depends on them. Regular expressions are for text from outside; each
module that uses them is listed here with the origin of its text.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "workbench"

#: Former helpers that parsed slots, vCPUs or addresses from text, and their methods.
OLD = re.compile(
    r"\bcpu_of\b|\bserves_exit\(|VCPU_IN_NAME|\bADDRESS\b|_goal\.startswith"
    r"|remove(pre|suf)fix\(\s*[\"'](vcpu|entry|slot|kvm: )|startswith\(\s*[\"'](vcpu|entry|slot |exit|vCPU)"
)

#: Which modules may use regular expressions, and where the text that they read comes from.
READS_TEXT = {
    "workbench/clayout/constants.py": "C text",
    "workbench/clayout/macros.py": "C text",
    "workbench/clayout/parser.py": "C text",
    "workbench/clayout/paste.py": "C text",
    "workbench/clayout/preprocess.py": "C text",
    "workbench/clayout/text.py": "C text",
    "workbench/commands/list.py": "the numbered clauses of a protocol file",
    "workbench/core/contracts/complete.py": "the name that an author gave a feature or an event",
    "workbench/core/own_files.py": "the path of an author's file as typed by the user",
    "workbench/engines/explore/export/promela.py": "names, which become identifiers",
    "workbench/engines/explore/export/spin.py": "what the SPIN checker prints",
    "workbench/measure/on_kvm/kvm_agreement.py": "the release of the running kernel",
    "workbench/measure/variants.py": "a protocol with mitigations as typed by the user",
    "workbench/present/figures/themed.py": "what matplotlib writes as SVG",
    "workbench/present/notebooks/notebooks.py": "notebooks as HTML",
    "workbench/present/new_design/create.py": "a design's name as typed by the user",
    "workbench/present/post/received.py": "a mail that is answered",
    "workbench/replay/values.py": "replay files",
}

#: String methods that parse, and functions that return text made for people.
LOOKS_INTO = set("startswith endswith partition rpartition split removeprefix removesuffix find index".split())
MADE_FOR_PEOPLE = {"step_text", "key_text", "value_text", "program_name", "str", "repr"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


def looks_into_text(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, code) where a string method is called on text made for people, or on a trace row's ``text``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOKS_INTO:
            read = node.func.value
            if node.func.attr == "split" and not node.args:
                continue  # only normalises white space
            made = isinstance(read, ast.Call) and ast.unparse(read.func).split(".")[-1] in MADE_FOR_PEOPLE
            if made or ast.unparse(read) in ("row.text", "row.actor"):
                yield node.lineno, ast.unparse(node)


def test_the_old_helpers_are_gone():
    found = [
        f"{where(path)}:{number}: {line.strip()}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if OLD.search(line)
    ]
    assert not found, "\n".join(found)


def test_regular_expressions_read_text_from_outside_only():
    uses = re.compile(r"^(import re$|from re import)", re.MULTILINE)
    assert {where(path) for path in sources() if uses.search(path.read_text())} == set(READS_TEXT)


def test_no_text_made_for_people_is_looked_into():
    found = [
        f"{where(path)}:{line}: {code}"
        for path in sources()
        for line, code in looks_into_text(ast.parse(path.read_text()))
        if where(path) not in READS_TEXT
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    ["step_text(step).startswith('exit')", "str(error).partition(':')", "row.text.split(1)", "w.step_text(s).find(1)"],
)
def test_looking_into_text_is_seen(code):
    assert [found for _, found in looks_into_text(ast.parse(code))] == [code]


@pytest.mark.parametrize("code", ["name.partition(':')", "path.read_text().splitlines()", "row.cells.index(3)"])
def test_other_strings_may_be_read(code):
    assert not list(looks_into_text(ast.parse(code)))
