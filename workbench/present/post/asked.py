"""What a post is about: designs, events, features, a machine; and what is measured of them, once for all parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from workbench.core import own_files
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.durable.share import Jobs
from workbench.measure import compare
from workbench.measure.comparison.runs import possible
from workbench.measure.exploration.cells import Cell
from workbench.measure.exploration.matrix import Size, Task, matrix
from workbench.measure.variants import Variant, features_of
from workbench.present.progress import Progress
from workbench.present.text.command_line import option_pieces

if TYPE_CHECKING:
    import pandas

#: Small enough for seconds; ``matrix`` explores more.
SIZES = (Size(1, ("wall_clock", "steal_time")), Size(2, ("steal_time",)))
#: Of these a post tells when no event is named.
EVENTS = ("boot", "kexec", "kexec-no-teardown", "migrate", "ignore-msrs", "descriptor-race")


@dataclass(frozen=True)
class Asked:
    """The subject of a post.

    ``named``: the designs as a command line names them. ``known``: codes of properties that are known to fail.
    """

    variants: tuple[Variant, ...]
    named: tuple[str, ...]
    events: tuple[Event, ...]
    features: tuple[Feature, ...] | None  #: None: of each design those of its own ABI, if it has one, or KVM's
    sizes: tuple[Size, ...] | None  #: of the searches; None: those of ``matrix``
    vcpus: int
    seed: int
    jobs: Jobs
    known: frozenset[str]
    say: Progress

    def of(self, one: Variant) -> tuple[Feature, ...]:
        """Return the features that a design is asked about."""
        return features_of(one, self.features)

    def sizes_of(self, one: Variant) -> tuple[Size, ...] | None:
        """Return the sizes at which a design is explored: by default two small ones, of features that it has."""
        names = [own_files.named(feature) for feature in self.features or ()] or list(one.kind.own_features)
        if self.sizes != SIZES or not names or set(SIZES[0].features) <= set(names):
            return self.sizes
        return tuple(dict.fromkeys((Size(1, tuple(names[:2])), Size(2, tuple(names[:1])))))

    def all_sizes(self) -> list[Size]:
        """Return the sizes of all designs; none if they are those of ``matrix``."""
        return list(dict.fromkeys(size for one in self.variants for size in self.sizes_of(one) or ()))

    @cached_property
    def table(self) -> pandas.DataFrame:
        """The tidy comparison of all metrics, one simulated run for each design and event that fits the machine."""
        events = [*possible(self.events, self.vcpus)]
        return compare(self.variants, events, self.features, self.vcpus, seed=self.seed,
                       progress=self.say.counting("runs"))  # fmt: skip

    @cached_property
    def cells(self) -> list[Cell]:
        """The failure matrix of the events, with the shortest trace of each failure."""

        def told(done: int, of: int, task: Task) -> None:
            self.say(f"searches: {done} of {of}")

        found = [
            cell
            for sizes, chosen in self._by_sizes().items()
            for cell in matrix(chosen, list(self.events), sizes=sizes, jobs=self.jobs, progress=told)
        ]
        place = {one.label: number for number, one in enumerate(self.variants)}
        return sorted(found, key=lambda cell: place[str(cell.label())])

    def _by_sizes(self) -> dict[tuple[Size, ...] | None, list[Variant]]:
        found: dict[tuple[Size, ...] | None, list[Variant]] = {}
        for one in self.variants:
            found.setdefault(self.sizes_of(one), []).append(one)
        return found

    def compare_command(self) -> tuple[str, ...]:
        """Return the pieces of the command that shows the simulated runs."""
        machine = [f"--vcpus {self.vcpus}", *([f"--seed {self.seed}"] if self.seed else [])]
        return ("workbench compare", *self.subject(), *machine, *self.features_option())

    def features_option(self) -> list[str]:
        """Return the option that names the features, if any were named."""
        return option_pieces("--features", [own_files.named(one) for one in self.features]) if self.features else []

    def matrix_commands(self) -> list[tuple[str, ...]]:
        """Return the pieces of the commands that show the searches, one for each size."""
        commands = []
        for sizes, chosen in self._by_sizes().items():
            found = ("workbench matrix", *self.subject(chosen))
            each = [(*found, f"--vcpus {size.vcpus}", *option_pieces("--features", size.features))
                    for size in sizes or ()]  # fmt: skip
            commands += each or [found]
        return commands

    def subject(self, chosen: Sequence[Variant] | None = None) -> list[str]:
        """Return the options of a command that name the designs, or those of them that are chosen, and the events."""
        named = [name for one, name in zip(self.variants, self.named, strict=True) if chosen is None or one in chosen]
        events = [own_files.named(one) for one in self.events]
        return [*option_pieces("--protocols", named), *option_pieces("--events", events)]
