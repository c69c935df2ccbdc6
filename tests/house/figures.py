"""Measures the size and breadth of the code: ``python -m tests.house.figures``; ``--modules`` names those that run.

Size is counted in the source files of ``workbench/``. A public name is a function, class or variable at the top of a
module whose name has no underscore in front; imported names are not counted, nor are ``__all__`` and variables that an
assignment to several at once makes. A function's length is in lines, from its ``def`` (without decorators) to its end.

Breadth is how many modules one has to read to follow one operation: a module *runs* if a function of its own is called
while the operation is carried out, in whichever thread. All modules are imported beforehand, so that what happens
during imports is not counted. The operations are at the end of this file.
"""

import ast
import importlib
import pkgutil
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import workbench
from tests.house.imports import PACKAGE, ROOT, dotted, modules
from workbench.checking.failures import choose as choose_failures
from workbench.core.driver import guest_side
from workbench.core.machine import Machine
from workbench.core.vcpu import Vcpu
from workbench.engines.explore.vm import Bounds
from workbench.errors import EngineError
from workbench.features import FEATURES, choose
from workbench.fuzz.generate import sequence
from workbench.fuzz.runners import opener, simulate
from workbench.fuzz.trial import Bench
from workbench.lifecycle import choose as choose_events
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.variants import variant
from workbench.protocols import Generic, PerFeature
from workbench.replay.engines import find_engine

Function = ast.FunctionDef | ast.AsyncFunctionDef

# -- size --------------------------------------------------------------------------------------------------------


def public_names(tree: ast.Module) -> set[str]:
    """Return the names that a module defines at its top and that do not begin with an underscore."""
    found = set()
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def function_lengths(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (lines, name) of every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, node.name


def size(paths: list[Path]) -> dict[str, Any]:
    """Return the figures of size of some source files."""
    sources = {path: path.read_text() for path in paths}
    trees = {path: ast.parse(source) for path, source in sources.items()}
    lines = {path: len(source.splitlines()) for path, source in sources.items()}
    functions = sorted((length, name, path) for path, tree in trees.items() for length, name in function_lengths(tree))
    lengths = [length for length, _, _ in functions]
    longest = max(lines, key=lambda path: lines[path])
    return {
        "files": len(paths),
        "lines": sum(lines.values()),
        "public names": sum(len(public_names(tree)) for tree in trees.values()),
        "functions": len(functions),
        "median lines of a function": statistics.median_low(lengths),
        "90 of 100 functions have at most": statistics.quantiles(lengths, n=10, method="inclusive")[-1],
        "longest function": f"{functions[-1][0]}, {functions[-1][1]} in {functions[-1][2].name}",
        "longest file": f"{lines[longest]}, {longest.name}",
    }


# -- breadth -----------------------------------------------------------------------------------------------------


def running(operation: Callable[[], object], package: Path = PACKAGE) -> list[str]:
    """Return the modules of a package that run during an operation."""
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            files.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        operation()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return sorted(dotted(path, package) for path in map(Path, files) if path.is_relative_to(package))


def loaded_for(*needed: str) -> int:
    """Return how many modules of the package a new interpreter has loaded after it has imported those needed."""
    count = "sum(name.partition('.')[0] == 'workbench' for name in sys.modules)"
    program = f"import sys, {', '.join(needed)}; print({count})"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return int(run.stdout)


def import_everything() -> None:
    """Import all modules of the package, except those that need an optional package which is not there."""
    for module in pkgutil.walk_packages(workbench.__path__, "workbench."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if str(error.name).startswith("workbench"):
                    raise


def register(kind: type[PerFeature | Generic]) -> Callable[[], object]:
    """Return an operation: a guest registers its steal time by one WRMSR, on a simulated machine that is there."""
    protocol, machine = kind(choose()), Machine([Vcpu(0, 0x8000)])
    machine.memory.add(0, 0x20_0000)
    program = protocol.register(machine.cpus[0], FEATURES["steal_time"], 0x3000)
    return lambda: machine.run(0, guest_side(protocol, program))


def counterexample() -> Callable[[], object]:
    """Return an operation: what ``explore generic --events descriptor-race --features steal_time --vcpus 2`` asks."""
    (event,) = choose_events(["descriptor-race"])
    question = Question(variant("generic"), event, choose(["steal_time"]), 2, Bounds(1, 0))
    failures = choose_failures(None)
    return lambda: explore_question(question, failures)


def fuzz_simulator() -> Callable[[], object]:
    """Return an operation: one fuzzed sequence of 120 operations on the simulator."""
    operations, opened = sequence(1, 0, 120).operations, opener(find_engine("sim"), _kvms_own)
    return lambda: simulate(opened, operations)


def fuzz_both(bench: Bench) -> Callable[[], object]:
    """Return an operation: the same sequence on both sides, compared; the VM of the real side is a used one."""
    operations = sequence(1, 0, 120).operations
    bench.judge(operations)
    return lambda: bench.judge(operations)


def _kvms_own() -> PerFeature:
    return PerFeature(choose())


def breadth() -> Iterator[tuple[str, list[str]]]:
    """Yield for each operation its name and the modules that run."""
    import_everything()
    yield "one WRMSR, per_feature", running(register(PerFeature))
    yield "one WRMSR, generic (writes the descriptor, reads the result)", running(register(Generic))
    yield "one counterexample, explored and traced", running(counterexample())
    yield "one fuzzed sequence, simulated", running(fuzz_simulator())
    try:
        kvm = find_engine("kvm")
    except EngineError as error:
        print(f"  (no figure for one fuzzed sequence on both sides: {error})")
        return
    with Bench(find_engine("sim"), kvm, lambda mitigations: PerFeature(choose(), mitigations), _kvms_own) as bench:
        yield "one fuzzed sequence, on both sides and compared", running(fuzz_both(bench))


def main(show_modules: bool) -> None:
    print("Size of workbench/")
    for name, value in size(modules()).items():
        print(f"  {name}: {value}")
    print("Modules that are loaded")
    machine = ("workbench.core.machine", "workbench.core.driver")
    print(f"  for a simulated machine: {loaded_for(*machine)}")
    print(f"  for one WRMSR, that is, with protocols/ too: {loaded_for(*machine, 'workbench.protocols')}")
    print("Modules that run")
    for name, names in breadth():
        print(f"  {name}: {len(names)}")
        if show_modules:
            print("".join(f"    {module}\n" for module in names), end="")


if __name__ == "__main__":
    main("--modules" in sys.argv[1:])
