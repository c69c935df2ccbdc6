"""The verdict score notices what a user would notice, and leaves out only questions that cannot notice anything."""

import pickle

import pytest

from tests.mutation.asking import Usual, first_difference, in_child, usually
from tests.mutation.at_work import Changed, Unchanged, state_of, told, working
from tests.mutation.changed import ROOT, install, module_name
from tests.mutation.mutants import lines_of, mutants
from tests.mutation.questions import CELL, OWN_CELL, OWN_TABLE, TABLE
from tests.mutation.verdicts import Book, drawn, report
from workbench.errors import EngineError

GENERIC, PER_FEATURE = "workbench/protocols/generic.py", "workbench/protocols/per_feature.py"
BOOT, BOOT_TABLE = (CELL, "generic", "boot", 0), (TABLE, "generic", "boot", 2)


def changed(text, kind, file=GENERIC):
    """Return the one change of this kind of the line that begins with ``text``, of a protocol's file."""
    source = (ROOT / file).read_text()
    at = source.index(text)
    end = source.index("\n", at)
    (found,) = [m for m in mutants(file, source) if m.kind == kind and at <= m.start and m.end <= end]
    return found


def seen(mutant, *asked, tmp_path):
    """Ask both packages in processes of their own; return the first cell that differs."""
    book = Book(tmp_path)
    for entry in in_child(lambda: usually(asked, [GENERIC, PER_FEATURE])):
        book.write(entry)
    plan = [(question, book.usual[question]) for question in asked]
    found = in_child(lambda: told(first_difference(mutant, plan)))
    return found, book


def test_a_registration_that_is_never_made_is_seen_by_the_matrix(tmp_path):
    mutant = changed("yield Set(area(owner, feature.name), descriptor.base if entry else None)", "drop a step")
    found, book = seen(mutant, BOOT, tmp_path=tmp_path)
    assert found["question"] == list(BOOT)
    assert found["before"] != found["after"]
    assert {(GENERIC, line) for line in lines_of(mutant)} & book.usual[BOOT].lines
    assert Book(tmp_path).usual == book.usual


def test_a_table_sees_an_exit_of_another_kind(tmp_path):
    mutant = changed('yield ToUser("register_mem_area")', "drop a step")
    assert seen(mutant, BOOT_TABLE, tmp_path=tmp_path)[0]["question"] == list(BOOT_TABLE)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("yield Set(area(self._place(cpu, written).cpu, feature.name), gpa)", (OWN_TABLE, "per_feature", "boot", 2)),
        ("if gpa is not None and feature.update_when in", (OWN_CELL, "per_feature", "boot", 1)),
    ],
)
@pytest.mark.slow
def test_features_of_the_users_own_show_code_that_no_shipped_feature_runs(text, question, tmp_path):
    kind = "drop a step" if text.startswith("yield") else "negate a condition"
    mutant = changed(text, kind, PER_FEATURE)
    assert seen(mutant, question, tmp_path=tmp_path)[0]["question"] == list(question)
    plain = (CELL if question[0] == OWN_CELL else TABLE, "per_feature", "boot", 2)
    assert seen(mutant, plain, tmp_path=tmp_path)[0] == {}


def test_code_that_does_not_run_is_not_asked_about(tmp_path):
    mutant = changed('if "init-revokes" in self.mitigations:', "change an operator")
    found, book = seen(mutant, BOOT, tmp_path=tmp_path)
    assert found == {}
    assert not {(GENERIC, line) for line in lines_of(mutant)} & book.usual[BOOT].lines


def test_the_changed_text_is_what_is_imported():
    def work():
        install({"workbench/paths.py": "DATA = 7\n"})
        from workbench import paths

        return paths.DATA

    assert in_child(work) == 7
    assert module_name(GENERIC) == "workbench.protocols.generic"


def test_a_process_that_hangs_is_ended():
    def endless():
        while True:
            pass

    assert in_child(endless, 0.2) is None
    assert in_child(lambda: 1, 60.0) == 1


def test_a_worker_does_both_kinds_of_work(tmp_path):
    """As ``--jobs`` and ``--cluster`` ask it; what travels can be pickled."""
    mutant = changed('yield ToUser("register_mem_area")', "drop a step")
    with working(state_of("workbench", "tests/mutation")) as (_, work):
        name, (entry,) = work(pickle.loads(pickle.dumps((0, Unchanged([BOOT_TABLE], [GENERIC])))))
        usual = Usual(entry["answer"], entry["seconds"], frozenset())
        name, found = work(pickle.loads(pickle.dumps(("mutant", Changed(mutant, [(BOOT_TABLE, usual)])))))
    assert name == "mutant"
    assert found["question"] == list(BOOT_TABLE)


def test_a_worker_with_other_files_is_refused():
    with pytest.raises(EngineError, match="a worker has other files"), working("another state"):
        pass


def test_a_sample_is_drawn_by_its_seed_and_reported():
    possible, chosen = drawn([GENERIC], 5, 3)
    assert drawn([GENERIC], 5, 3)[1] == chosen
    assert drawn([GENERIC], 5, 4)[1] != chosen
    by = {"question": [CELL, "generic", "boot", 0], "cell": "F04", "before": "HOLDS", "after": "FAILS"}
    text = report([(chosen[0], by), (chosen[1], None)], possible)
    assert f"| {GENERIC} | {len(possible)} | 2 | 1 | 0 | 50.0% |" in text
    assert chosen[1].diff() in text
    assert chosen[0].diff() not in text


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f(x):\n    if x:\n        return 5\n    g()\n", [range(2, 4), range(2, 3)]),
        ("def f(x):\n    yield g(\n        not x\n    )\n", [range(2, 5)]),
    ],
)
def test_the_lines_of_a_change_are_those_of_its_statement(source, lines):
    found = [
        lines_of(m) for m in mutants("x.py", source) if m.kind in ("drop a check", "negate a condition", "drop a not")
    ]
    assert found == lines
