"""The mutation score: of the small changes to protocols and core, how many make a test fail.

    python -m tests.mutation.score --sample 150 --seed 1
    python -m tests.mutation.score --files workbench/protocols/generic.py

Each change is made in a copy of the tree, where the quickest tests that concern the file run until the first
failure. First the copy is run unchanged (must pass) and broken (must fail). What survives is printed as a diff.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation import unshrunk
from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("workbench", "tests", "benchmarks", "data")
EVENTS = ("tests/lifecycle",)  # with the golden fates of every protocol under every event
#: The tests that concern a file, the quickest and closest first.
TESTS: dict[str, tuple[str, ...]] = {
    "workbench/protocols/generic.py": (
        "tests/protocols/test_generic.py",
        "tests/protocols/test_generic_departures.py",
        "tests/protocols/test_generic_revocation.py",
        "tests/protocols/test_generic_migration.py",
        *EVENTS,
    ),
    "workbench/protocols/per_feature.py": (
        "tests/protocols/test_per_feature.py",
        "tests/protocols/test_per_feature_async_pf.py",
        "tests/protocols/test_per_feature_lifetime.py",
        "tests/protocols/test_per_feature_restore.py",
        "tests/protocols/test_per_feature_policies.py",
        "tests/protocols/test_per_feature_brought.py",
        "tests/replay/test_replay_library.py",
        *EVENTS,
    ),
    "workbench/protocols/null.py": ("tests/protocols/test_null.py", *EVENTS),
    "workbench/protocols/__init__.py": ("tests/protocols/test_protocol_loading.py", "tests/cli/test_errors.py"),
    "workbench/core/kvm_registers.py": (
        "tests/core/test_kvm_registers.py",
        "tests/protocols/test_per_feature.py",
        "tests/protocols/test_per_feature_async_pf.py",
        "tests/protocols/test_per_feature_lifetime.py",
        "tests/protocols/test_per_feature_restore.py",
        "tests/protocols/test_per_feature_policies.py",
        *EVENTS,
    ),
    "workbench/core/vmm.py": ("tests/lifecycle/test_under_vmm.py", "tests/replay/test_replay_library.py"),
    "workbench/core/restoring.py": ("tests/lifecycle/test_under_vmm.py", "tests/planted/test_planted.py"),
    "workbench/core/sent_memory.py": ("tests/lifecycle/test_dirty_log.py",),
    "workbench/core/driver.py": ("tests/core/test_driver.py", "tests/replay/test_replay_library.py", *EVENTS),
    "workbench/core/transition.py": (
        "tests/core/test_transition.py", "tests/core/test_driver.py", "tests/core/test_machine.py", *EVENTS
    ),
    "workbench/core/machine.py": ("tests/core/test_machine.py", "tests/core/test_driver.py", *EVENTS),
    "workbench/core/memory.py": ("tests/core/test_memory.py", "tests/core/test_machine.py", *EVENTS),
    "workbench/core/scenario.py": ("tests/core/test_scenario.py", *EVENTS),
}  # fmt: skip
PATIENCE = 6  # times the unchanged run: what takes longer hangs, and is noticed
LEAST = 30.0  # seconds


@dataclass(frozen=True)
class Tried:
    """A mutant and the result of the tests."""

    mutant: Mutant
    killed: bool
    seconds: float


class Copy:
    """A copy of the tree in which one file at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        # Compiled files that are checked by content: by date, a change within a second would not be noticed.
        command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "workbench"]
        subprocess.run(command, cwd=folder, check=True)
        self.patience: dict[str, float] = {}

    def passes(self, file: str, text: str) -> bool:
        """Tell whether the tests of ``file`` pass with this text."""
        place = self.folder / file
        original = place.read_text()
        place.write_text(text)
        try:
            return self._run(TESTS[file], self.patience.get(file))
        finally:
            place.write_text(original)

    def check(self, file: str) -> None:
        """Exit unless the tests pass on the file as it is, and fail on a file that breaks; measure their time."""
        source, begun = (ROOT / file).read_text(), time.monotonic()
        if not self.passes(file, source):
            raise SystemExit(f"the tests of {file} fail on the unchanged file: {' '.join(TESTS[file])}")
        self.patience[file] = max(LEAST, PATIENCE * (time.monotonic() - begun))
        if self.passes(file, source + "\nraise SystemError\n"):
            raise SystemExit(f"the tests of {file} do not import it from {self.folder}")

    def _run(self, tests: Sequence[str], patience: float | None) -> bool:
        plugins = ["-p", "no:cacheprovider", "-p", unshrunk.__name__]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", *plugins, *tests]
        told = {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_PROFILE": unshrunk.PROFILE}
        environment = {**os.environ, **told}
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, timeout=patience, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def tried(chosen: Sequence[Mutant], copy: Copy) -> Iterable[Tried]:
    """Yield each mutant with what the tests said, checking each file before its first one."""
    checked = set()
    for number, mutant in enumerate(chosen, 1):
        if mutant.file not in checked:
            copy.check(mutant.file)
            checked.add(mutant.file)
        begun = time.monotonic()
        one = Tried(mutant, not copy.passes(mutant.file, mutant.changed), time.monotonic() - begun)
        word = "killed" if one.killed else "SURVIVED"
        place = f"{mutant.file}:{mutant.line}"
        print(f"{number}/{len(chosen)} {word} {one.seconds:.1f} s {place} {mutant.kind}", file=sys.stderr, flush=True)
        yield one


def report(found: Sequence[Tried], all_mutants: Sequence[Mutant]) -> str:
    """Return the table by file, then the survivors as diffs."""
    made, run = Counter(m.file for m in all_mutants), Counter(t.mutant.file for t in found)
    killed = Counter(t.mutant.file for t in found if t.killed)
    lines = ["| file | possible | tried | killed | score |", "| :--- | ---: | ---: | ---: | ---: |"]
    for file in run:
        lines.append(f"| {file} | {made[file]} | {run[file]} | {killed[file]} | {killed[file] / run[file]:.0%} |")
    total = (made.total(), run.total(), killed.total())
    lines.append(f"| all | {total[0]} | {total[1]} | {total[2]} | {total[2] / max(1, total[1]):.1%} |")
    for one in found:
        if not one.killed:
            lines += ["", f"{one.mutant.file}:{one.mutant.line}: {one.mutant.kind}", "", one.mutant.diff()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Try a sample, print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.score", description=__doc__.split("\n\n")[0])
    parser.add_argument("--files", nargs="+", choices=tuple(TESTS), default=tuple(TESTS), metavar="FILE")
    parser.add_argument("--sample", type=int, metavar="N", help="how many changes, drawn by --seed (default all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first N, to go on after a stop")
    args = parser.parse_args(arguments)
    possible = [m for file in args.files for m in mutants(file, (ROOT / file).read_text())]
    drawn = range(len(possible))
    if args.sample is not None and args.sample < len(possible):
        drawn = sorted(random.Random(args.seed).sample(drawn, args.sample))
    found: list[Tried] = []
    with tempfile.TemporaryDirectory() as name:
        try:
            found.extend(tried([possible[number] for number in drawn][args.skip :], Copy(Path(name))))
        except KeyboardInterrupt:
            print("interrupted: what follows is what was tried so far", file=sys.stderr)
    print(report(found, possible))


if __name__ == "__main__":
    main()
