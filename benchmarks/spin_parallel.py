"""SPIN's parallel breadth-first search (`-DBFS_PAR`) of the same text, for `benchmarks.explorer`.

Holzmann, "Parallelizing the SPIN model checker" (SPIN 2012). It always stores hashes of states (hash-compact), not
states; here it has found all of them. It refuses variables declared `hidden`; those of our text are 0 outside a step,
so that declaring them as others changes no count.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workbench.durable.guard import environment, guarded_folder

_TOLD = (r"(\d+) states, stored", r"errors: (\d+)", r"elapsed time ([\d.e+]+)")
#: Takes how many states are expected; returns states, errors and the seconds of the search.
Search = Callable[[int], tuple[int, int, float]]


@contextmanager
def parallel_spin(text: str, prop: int, cores: int) -> Iterator[Search | None]:
    """Compile the verifier of a Promela text; yield what runs it, None for one core."""
    if cores == 1:
        yield None
        return
    with guarded_folder() as folder:

        def told(*command: str) -> str:
            given = environment(folder)
            done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=True)
            return done.stdout

        (folder / "model.pml").write_text(re.sub(r"^hidden ", "", text, flags=re.MULTILINE), encoding="utf-8")
        told("spin", "-a", "-o2", f"-DPROP={prop}", "model.pml")
        told("gcc", "-O2", "-w", "-DSAFETY", "-DNOREDUCE", "-DVECTORSZ=8192", "-DBFS_PAR", "pan.c", "-o", "pan")

        def search(states: int) -> tuple[int, int, float]:
            said = told("./pan", "-E", "-c0", "-n", f"-w{max(16, states.bit_length() + 1)}", f"-u{cores}")
            found = [re.search(one, said) for one in _TOLD]
            if None in found:
                raise SystemExit(f"SPIN's parallel search did not finish: {said[-300:]}")
            number, errors, seconds = [one.group(1) for one in found if one is not None]
            return int(number), int(errors), float(seconds)

        yield search
