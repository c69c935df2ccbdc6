"""House rules that are checked mechanically.

Files and functions are small, every module has a docstring, no work is marked as left for later, no file contains
paths of one machine, and every numbered clause of a protocol is cited in its code and in a test.
"""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "workbench").rglob("*.py"))
PROTOCOLS = sorted(p for p in (ROOT / "workbench" / "protocols").rglob("*.py") if p.name != "__init__.py")
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

LONGEST_FILE, LONG_FILE, LONGEST_FUNCTION = 400, 300, 60
CLAUSE = re.compile(r"\bR(\d+)\b")
# In a test's name the clause stands between underscores, which are word characters.
CITED_IN_TEST = re.compile(r"(?:\b|_)R(\d+)(?:\b|_)")

# Built from pieces, so that this file does not match its own patterns.
LATER = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
SOMEBODYS_FOLDERS = ("root", "work", "farm", "home", "Users")
NOT_FOR_READERS = [
    r"(?<![\w.}~-])/(?:" + "|".join(SOMEBODYS_FOLDERS) + r")/(?=[\w.])",
    r"\.\./" + "shared",
    r"/tmp/" + "brief",
    r"\bsub" + "agent",
    r"\bthis " + "session\\b",
    r"\blanguage " + "model\\b",
]
FOREIGN = re.compile("|".join(NOT_FOR_READERS), re.IGNORECASE)
ELSEWHERE = {".gitignore"}


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def tracked() -> list[Path]:
    """Return the files of the project that git tracks; without git, all files that are not hidden."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [
        p
        for p in ROOT.rglob("*")
        if p.is_file() and not any(s.startswith(".") for s in p.relative_to(ROOT).parts)
    ]


def test_files_are_short():
    sizes = {where(path): lines_of(path) for path in SOURCES}
    growing = [f"{name} has {n}" for name, n in sizes.items() if LONG_FILE < n <= LONGEST_FILE]
    too_long = [f"{name} has {n} lines" for name, n in sizes.items() if n > LONGEST_FILE]
    assert not too_long, f"over {LONGEST_FILE}: {too_long}; on the way there: {growing}"


def test_functions_are_short():
    found = [
        f"{where(path)}:{f.lineno}: {f.name} has {f.end_lineno - f.lineno + 1} lines"
        for path in SOURCES
        for f in functions(ast.parse(path.read_text()))
        if f.end_lineno - f.lineno + 1 > LONGEST_FUNCTION
    ]
    assert not found, "\n".join(found)


def test_every_module_says_what_it_is():
    silent = [where(p) for p in [*SOURCES, *TESTS] if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent


def matches(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Return ``file:line: text`` of every matching line; files that are not text are left out."""
    found = []
    for path in paths:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{where(path)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def test_nothing_is_left_for_later():
    found = matches(LATER, [path for path in tracked() if path.suffix == ".py"])
    assert not found, "\n".join(found)


#: Mechanisms that may exist in one place only, and the place.
ONE_PLACE = {
    r"^import csv|\bto_csv\(": "workbench/present/records.py",
    r"\br?split\(\"\+\"|\breplace\(\"\+\"": "workbench/measure/label.py",
    r"= sys\.stderr|sys\.stderr\.write": "workbench/present/progress.py",
}


@pytest.mark.parametrize(("pattern", "place"), ONE_PLACE.items(), ids=[Path(p).stem for p in ONE_PLACE.values()])
def test_records_labels_and_progress_are_written_in_one_place(pattern, place):
    found = matches(re.compile(pattern), SOURCES)
    assert found, f"{place} no longer does it: the rule looks for something that is nowhere"
    assert [line for line in found if not line.startswith(place)] == []


def test_no_file_names_one_persons_machine():
    paths = [path for path in tracked() if path.name not in ELSEWHERE]
    assert len(paths) > 20
    found = matches(FOREIGN, paths)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "foreign"),
    [
        ("open('/" + "root/x.txt')", True),
        ("see /" + "work/main", True),
        ("/" + "home/somebody/.bashrc", True),
        ("a sub" + "agent", True),
        ("frame" + "work/core/x", False),
        ("https://example.org/net" + "work/", False),
        ("the root/leaf question", False),
        ("at home/work", False),
    ],
)
def test_machine_names_are_told_from_words(line, foreign):
    assert bool(FOREIGN.search(line)) is foreign


def clauses_declared(docstring: str) -> list[int]:
    """Return the numbers of the clauses at the beginning of a line of ``docstring``, in order."""
    return [int(n) for n in re.findall(r"^\s*(?:[-*]\s+)?R(\d+)\b", docstring, re.MULTILINE)]


def clauses_cited(source: str) -> set[int]:
    """Return the clauses that a protocol file cites below its opening docstring, comments included."""
    opening = ast.parse(source).body[0]
    below = source.splitlines()[opening.end_lineno :]
    return {int(n) for n in CLAUSE.findall("\n".join(below))}


def clauses_tested(protocol: str, path: Path, source: str) -> set[int]:
    """Return the clauses of ``protocol`` that tests name.

    A test names a protocol if the protocol's name is in its file's name, its own name or its docstring,
    and a clause if R<n> is in its own name or docstring.
    """
    found: set[int] = set()
    for test in functions(ast.parse(source)):
        said = f"{test.name} {ast.get_docstring(test) or ''}"
        if test.name.startswith("test") and protocol in f"{path.stem} {said}":
            found |= {int(n) for n in CITED_IN_TEST.findall(said)}
    return found


def test_the_two_protocols_of_the_question_are_here():
    assert {"generic", "per_feature", "null"} <= {path.stem for path in PROTOCOLS}


def defines_a_protocol(path: Path) -> bool:
    handlers = {"on_wrmsr", "on_rdmsr", "on_hypercall", "on_mmio_write", "on_pio_write"}
    return any(function.name in handlers for function in functions(ast.parse(path.read_text())))


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in PROTOCOLS if defines_a_protocol(p)])
def test_clauses_are_numbered_obeyed_and_tested(path):
    source = path.read_text()
    clauses = clauses_declared(ast.get_docstring(ast.parse(source)) or "")
    assert clauses == list(range(1, len(clauses) + 1)), f"{path.stem}: clauses must run from R1 on: {clauses}"
    assert clauses, f"{path.stem}: a protocol file opens with numbered clauses R1.."
    untested = set(clauses).difference(*(clauses_tested(path.stem, t, t.read_text()) for t in TESTS))
    uncited = set(clauses) - clauses_cited(source)
    assert not uncited, f"{path.stem}: no code cites R{sorted(uncited)}"
    assert not untested, f"{path.stem}: no test names R{sorted(untested)}"


def test_clauses_are_found_where_they_stand():
    source = '"""What it is.\n\nR1 first\n    R2: second\n- R3 third, unlike R1\n"""\nX = 1  # R2, R12\n'
    assert clauses_declared(ast.get_docstring(ast.parse(source))) == [1, 2, 3]
    assert clauses_cited(source) == {2, 12}


def test_tests_of_clauses_are_told_apart():
    source = (
        "def test_generic_R4_result_is_written_last(): ...\n"
        "def test_both():\n    'generic R5 and per_feature R6'\n"
        "def helper_generic_R7(): ...\n"
    )
    assert clauses_tested("generic", Path("test_x.py"), source) == {4, 5, 6}
    assert clauses_tested("per_feature", Path("test_x.py"), source) == {5, 6}
    assert clauses_tested("null", Path("test_null.py"), source) == {4, 5, 6}


#: Modules that open files whose name no user gives, or write results. All other files are read by workbench/reading.py.
OPENS_FILES = {"workbench/reading.py", "workbench/present/files.py"}
#: Files of the kernel, of the package's own notebooks and of results just written.
NO_USERS_FILES = (
    "workbench/durable/", "workbench/engines/kvm/", "workbench/measure/on_kvm/measured_file.py",
    "workbench/measure/exploration/memory_limit.py", "workbench/present/notebooks/", "workbench/present/web/",
    "workbench/commands/fuzz.py", "workbench/engines/explore/", "workbench/present/widgets/", "workbench/present/app/",
    "workbench/classroom/grading/fence/",
)  # fmt: skip


def test_files_that_users_name_are_read_in_one_place():
    found = []
    for path in SOURCES:
        if where(path) in OPENS_FILES or where(path).startswith(NO_USERS_FILES):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(node.func, "attr", "") if isinstance(node, ast.Call) else ""
            if called in ("read_text", "read_bytes"):
                found.append(f"{where(path)}:{node.lineno}")
    assert not found, "read it by workbench.reading, which refuses devices and other encodings"


def test_every_text_file_is_opened_as_utf8():
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(node.func, "attr", "") if isinstance(node, ast.Call) else ""
            words = {word.arg for word in node.keywords} if isinstance(node, ast.Call) else set()
            if called in ("write_text", "read_text") and "encoding" not in words and len(node.args) < 2:
                found.append(f"{where(path)}:{node.lineno}")
    assert not found, "say encoding='utf-8': the locale's may be another"
