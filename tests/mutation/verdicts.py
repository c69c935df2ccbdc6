"""The verdict mutation score: of the small changes to protocols, how many change a cell that a user sees.

    python -m tests.mutation.verdicts --sample 100 --seed 0
    python -m tests.mutation.verdicts --files workbench/protocols/generic.py --only matrix

Asked are the simulator's tables and the failure matrix, with and without mitigations, and nothing else: no test. A
change that hangs or raises an exception counts as seen. Questions that do not run the changed line are left out:
their answers cannot differ. What was tried is kept in a journal, so that a run can be stopped and goes on later.
"""

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.mutation import asking, questions
from tests.mutation.asking import Usual, in_child
from tests.mutation.at_work import Changed, Unchanged, state_of, working
from tests.mutation.changed import ROOT, module_name
from tests.mutation.mutants import Mutant, lines_of, mutants
from tests.mutation.questions import CELL, CELLS, TABLES, Question
from workbench.commands import _options
from workbench.durable.share import Workers, answers, pool_of
from workbench.errors import WorkbenchError

SHIPPED = ("workbench/protocols/generic.py", "workbench/protocols/per_feature.py", "workbench/protocols/null.py")
DESIGNS = tuple(
    sorted(str(p.relative_to(ROOT)) for p in (ROOT / "workbench/history/broken").glob("*.py") if p.stem != "__init__")
)
BATCH = 20  # questions that one process answers about the unchanged package
#: What is asked, one round after the other, the cheapest first; each is about the changes that are left.
TABLE_ROUND, SMALL, SMALL_MITIGATED, LARGE, LARGE_MITIGATED, SINGLE = ROUNDS = (
    "tables", "one vCPU", "one vCPU, mitigations", "larger", "larger, mitigations", "single mitigations"
)  # fmt: skip
ONLY = {"all": ROUNDS, "tables": ROUNDS[:1], "matrix": ROUNDS[1:]}
#: How many sizes of the matrix have one vCPU, at the beginning of its list.
SMALL_SIZES = 3


class Book:
    """The journal of one state of the tree: usual answers, and what became of each mutant; one JSON object per line."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"verdicts-{state_of('workbench')[:16]}.jsonl"
        self.usual: dict[Question, Usual] = {}
        self.tried: dict[str, Any] = {}
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            self._take(json.loads(line))

    def _take(self, entry: dict[str, Any]) -> None:
        if "mutant" in entry:
            self.tried[entry["mutant"]] = entry["seen"]
        else:
            lines = frozenset((file, line) for file, line in entry["lines"])
            self.usual[_question(entry["question"])] = Usual(entry["answer"], entry["seconds"], lines)

    def write(self, entry: dict[str, Any]) -> None:
        """Keep an entry."""
        self._take(entry)
        with self.path.open("a") as journal:
            journal.write(json.dumps(entry) + "\n")


def _question(told: Sequence[Any]) -> Question:
    kind, label, event, number = told
    return kind, label, event, number


def questions_of(files: Sequence[str], *, cells: bool) -> dict[str, list[Question]]:
    """Return the questions that concern each file."""
    shipped = [file for file in files if file not in DESIGNS]
    found: dict[str, list[Question]] = {file: [] for file in files}
    if shipped:
        told = in_child(lambda: list(questions.of_protocols(cells)))
        found |= {file: [_question(one) for one in told] for file in shipped}
    for file in files:
        if file in DESIGNS and cells:
            told = in_child(lambda file=file: list(questions.of_cases(module_name(file))))
            found[file] = [_question(one) for one in told]
    return found


def prepare(book: Book, asked: Iterable[Question], workers: Workers) -> None:
    """Ask the unchanged package all questions that the journal has no answer to."""
    todo = sorted(set(asked) - book.usual.keys())
    batches = [todo[at : at + BATCH] for at in range(0, len(todo), BATCH)]
    pieces = enumerate(Unchanged(batch, (*SHIPPED, *DESIGNS)) for batch in batches)
    for number, (_, found) in enumerate(answers(workers, pieces), 1):
        for entry in found:
            book.write(entry)
        asking.say(f"unchanged: {number} of {len(batches)} groups of questions")


def mitigations_of(question: Question) -> int:
    """Return how many mitigations the variant of a question has switched on."""
    return question[1].count("+")


def is_alone(question: Question) -> bool:
    """Tell whether the question is about a variant with one of several mitigations."""
    return mitigations_of(question) == 1


def touching(book: Book, mutant: Mutant, asked: Iterable[Question]) -> list[Question]:
    """Return the questions that run the changed lines; lines outside of functions run at the import, for all."""
    if mutant.at_import:
        return list(asked)
    lines = {(mutant.file, line) for line in lines_of(mutant)}
    return [question for question in asked if not lines.isdisjoint(book.usual[question].lines)]


def round_of(question: Question) -> str:
    """Return the round in which a question is asked; a case of history is a small cell."""
    kind, _, _, number = question
    if kind in TABLES:
        return TABLE_ROUND
    if is_alone(question):
        return SINGLE
    large = kind == CELL and number >= SMALL_SIZES
    return ROUNDS[1 + 2 * large + bool(mitigations_of(question))]


def to_ask(book: Book, mutant: Mutant, asked: Sequence[Question]) -> list[Question]:
    """Return those questions of a round that can notice the change, of which all but single mitigations are prepared.

    A variant with one mitigation is asked only about code that does not run without it: its tables where they run it,
    its cells where no other cell does, and its tables show that they may.
    """
    main = touching(book, mutant, (question for question in asked if not is_alone(question)))
    if any(not mitigations_of(question) for question in main):
        return main
    tables = touching(book, mutant, (q for q in book.usual if q[0] in TABLES))
    if any(round_of(question) == SINGLE for question in asked) and touching(
        book, mutant, (q for q in book.usual if q[0] in CELLS and not is_alone(q))
    ):
        return main
    labels = {label for _, label, *_ in tables}
    return main + [question for question in asked if is_alone(question) and question[1] in labels]


def key(mutant: Mutant, part: str) -> str:
    """Return a name by which the journal knows a mutant in one round."""
    return f"{part} {mutant.file} {mutant.start} {mutant.end} {mutant.text}"


def tried(
    book: Book, chosen: Sequence[Mutant], of_files: dict[str, list[Question]], only: str, workers: Workers
) -> list[tuple[Mutant, Any]]:
    """Return each mutant with the cell that saw it, or None."""
    seen: dict[Mutant, Any] = dict.fromkeys(chosen)
    for part in ONLY[only]:
        asked = {file: [q for q in questions_ if round_of(q) == part] for file, questions_ in of_files.items()}
        seen |= _tried(book, [mutant for mutant, by in seen.items() if not by], asked, part, workers)
    return list(seen.items())


def _tried(
    book: Book, chosen: Sequence[Mutant], of_files: dict[str, list[Question]], part: str, workers: Workers
) -> dict[Mutant, Any]:
    """Ask the questions of one round."""
    kills: Counter[Question] = Counter()
    by_key = {key(mutant, part): mutant for mutant in chosen}
    left = {name: mutant for name, mutant in by_key.items() if name not in book.tried}
    concerned = {question for mutant in left.values() for question in of_files[mutant.file]}
    if part != SINGLE:
        prepare(book, concerned, workers)
    plans_of = {name: to_ask(book, mutant, of_files[mutant.file]) for name, mutant in left.items()}
    prepare(book, (question for plan in plans_of.values() for question in plan), workers)

    def work() -> Iterator[tuple[str, Changed]]:
        for name, mutant in left.items():
            asked = sorted(plans_of[name], key=lambda q: (mitigations_of(q), book.usual[q].seconds / (1 + kills[q])))
            plan = [(q, book.usual[q]) for q in asked]
            yield name, Changed(mutant, plan)

    for number, (name, seen) in enumerate(answers(workers, work()), 1):
        found = {"question": [], "cell": "all", "before": "", "after": "hangs or dies"} if seen is None else seen
        found = None if found == {} else found
        if found and found["question"]:
            kills[_question(found["question"])] += 1
        book.write({"mutant": name, "seen": found})
        mutant = by_key[name]
        word = f"seen by {' '.join(map(str, found['question']))}: {found['cell']}" if found else "not seen"
        asking.say(f"{part}, {number} of {len(left)}: {mutant.file}:{mutant.line} {mutant.kind}: {word}")
    return {mutant: book.tried[name] for name, mutant in by_key.items()}


def report(found: Sequence[tuple[Mutant, Any]], possible: Sequence[Mutant]) -> str:
    """Return the table by file, and the survivors as diffs."""
    made, run = Counter(m.file for m in possible), Counter(mutant.file for mutant, _ in found)
    seen = Counter(mutant.file for mutant, by in found if by)
    tables = Counter(mutant.file for mutant, by in found if by and by["question"] and by["question"][0] in TABLES)
    lines = ["| file | possible | tried | seen | by tables | score |", "| :--- | ---: | ---: | ---: | ---: | ---: |"]
    rows = [(file, made[file], run[file], seen[file], tables[file]) for file in run]
    rows.append(("all", made.total(), run.total(), seen.total(), tables.total()))
    lines += [f"| {file} | {m} | {r} | {s} | {t} | {s / max(r, 1):.1%} |" for file, m, r, s, t in rows]
    for mutant, by in found:
        if not by:
            lines += ["", f"{mutant.file}:{mutant.line}: {mutant.kind}", "", mutant.diff()]
    return "\n".join(lines)


def drawn(files: Sequence[str], sample: int | None, seed: int) -> tuple[list[Mutant], list[Mutant]]:
    """Return all mutants of ``files``, and those that the seed draws, in the order of their lines."""
    possible = [m for file in files for m in mutants(file, (ROOT / file).read_text())]
    if sample is None or sample >= len(possible):
        return possible, possible
    return possible, [possible[i] for i in sorted(random.Random(seed).sample(range(len(possible)), sample))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Try a sample, print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.verdicts", description=__doc__.split("\n\n")[0])
    parser.add_argument("--files", nargs="+", default=(*SHIPPED, *DESIGNS), metavar="FILE")
    parser.add_argument("--sample", type=int, metavar="N", help="how many changes, drawn by --seed (default all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=tuple(ONLY), default="all", help="what is asked")
    _options.add_jobs(parser)
    parser.add_argument(
        "--journal", type=Path, default=Path(tempfile.gettempdir()) / "verdict-mutation", metavar="FOLDER"
    )
    args = parser.parse_args(arguments)
    possible, chosen = drawn(args.files, args.sample, args.seed)
    book = Book(args.journal)
    asking.say(f"journal: {book.path}")
    of_files = questions_of(args.files, cells=args.only != "tables")
    try:
        with (
            _options.workers(args) as jobs,
            pool_of(jobs, working, [state_of("workbench", "tests/mutation")]) as workers,
        ):
            found = tried(book, chosen, of_files, args.only, workers)
    except WorkbenchError as error:
        sys.exit(f"{parser.prog}: {error}")
    print(report(found, possible))


if __name__ == "__main__":
    main()
