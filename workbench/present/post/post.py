"""A whole post: the claim first, then its parts, the sources as footnotes, and what is needed to make it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import getmodule
from itertools import groupby

import workbench
from workbench.checking.failures import choose as choose_failures
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.own_files import described
from workbench.durable.share import Jobs
from workbench.errors import WorkbenchError, unknown
from workbench.features import choose as choose_features
from workbench.lifecycle import choose as choose_events
from workbench.measure.exploration.matrix import Size
from workbench.measure.variants import DEFAULT as DESIGNS
from workbench.measure.variants import Variant, variants
from workbench.present.post import review_2011
from workbench.present.post.asked import EVENTS, SIZES, Asked
from workbench.present.post.lines import quoted, wrapped
from workbench.present.post.parts import DEFAULT, PARTS, WITH_WORDS
from workbench.present.post.section import Attachment, Section
from workbench.present.progress import Progress
from workbench.present.text.command_line import command_lines
from workbench.present.text.report import DISCLAIMER

CLAIM = 5  #: lines at the most
#: Posts that are made already, each an answer to one mail.
WHOLE: Mapping[str, Callable[[Asked], list[Section]]] = {"review-2011": review_2011.sections}


@dataclass(frozen=True)
class Post:
    """A post; its parts can also be placed below the paragraphs of a mail that they answer (``mail.reply``)."""

    asked: Asked
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Show the post in a notebook as it will be sent."""
        return {"text/plain": self.text()}

    def text(self) -> str:
        """Return the post as text of at most 72 columns of ASCII."""
        parts = []
        for number, section in enumerate(self.sections):
            parts += [*([quoted(section.quote)] if section.quote else []), self.part(number)]
        return "\n".join([self.claim(), *parts, self.ending()])

    def claim(self) -> str:
        """Return the first lines: a sentence of each part, as many as fit into five lines."""
        if all(section.short for section in self.sections):
            return "".join(wrapped(section.short, "  ") for section in self.sections[:CLAIM])
        said: list[str] = []
        for section in self.sections:
            longer = wrapped(" ".join([*said, section.short or section.claim]))
            if said and longer.count("\n") > CLAIM:
                break
            said.append(section.short or section.claim)
        return wrapped(" ".join(said))

    def part(self, number: int) -> str:
        """Return one part, with its heading and the marks of its sources."""
        section = self.sections[number]
        numbers = sorted({1 + self.sources().index(one) for one in section.sources})
        marks = "".join(f" {one}" for one in _marks(numbers))
        title = f"{number + 1}. {section.title}"
        head = f"{title}\n{'-' * len(title)}\n"
        claim = wrapped(f"{section.claim}{marks}")
        commands = [line for pieces in section.commands for line in command_lines(pieces, "$ ")]
        return "\n".join([head, claim, *section.blocks, "".join(f"{line}\n" for line in commands)])

    def sources(self) -> list[str]:
        """Return the footnotes: those of the parts, then where the designs are from."""
        found = [one for section in self.sections for one in section.sources]
        return list(dict.fromkeys([*found, *filter(None, map(_source, self.asked.variants))]))

    def ending(self) -> str:
        """Return the footnotes and the provenance."""
        notes = [wrapped(f"[{number}] {one}", "    ") for number, one in enumerate(self.sources(), 1)]
        asked = self.asked
        made = [
            f"{DISCLAIMER[0].upper()}{DISCLAIMER[1:]} unless a part says so, by workbench {workbench.__version__}; "
            f"{asked.vcpus} vCPU{'' if asked.vcpus == 1 else 's'}, seed {asked.seed}.",
            *self._features(),
            f"events: {', '.join(described(*asked.events))}",
            f"designs: {', '.join(one.label for one in asked.variants)}",
            "The same input gives the same bytes. Each part ends with the command that shows it.",
        ]
        return "".join([*notes, *(["\n"] if notes else []), *(wrapped(line, "  ") for line in made)])

    def _features(self) -> list[str]:
        """Return which features the designs were asked about: once what several have in common."""
        designs: dict[tuple[str, ...], list[str]] = {}
        for one in self.asked.variants:
            designs.setdefault(tuple(described(*self.asked.of(one))), []).append(one.label)
        if len(designs) == 1:
            return [f"features: {', '.join(*designs)}"]
        return [f"features of {', '.join(labels)}: {', '.join(names)}" for names, labels in designs.items()]

    def verdicts(self) -> set[str]:
        """Return the verdicts of the searches that the parts asked for; none if they asked for none."""
        return {cell.verdict for cell in vars(self.asked).get("cells", ())}

    def attachments(self) -> list[Attachment]:
        """Return what may go with the mail, in the order of the parts, each once."""
        return list(dict.fromkeys(one for section in self.sections for one in section.attachments))


def post(
    about: Sequence[str] = DEFAULT, protocols: Sequence[str | Variant] = DESIGNS,
    events: Sequence[str | Event] = EVENTS, features: Sequence[str | Feature] | None = None,
    vcpus: int = 64, *, sizes: Sequence[Size] | None = SIZES, seed: int = 0, jobs: Jobs = 1,
    known: Iterable[str] = (), progress: Progress | None = None,
) -> Post:  # fmt: skip
    """Measure and return a post about designs.

    ``about``: parts, in this order: exits, state, failures, verdict, and trace, which may be followed by what it shows:
    ``trace F05:descriptor-race:generic``. ``vcpus``: of simulated runs. ``sizes``: of searches; None: all those of
    ``matrix``, which takes minutes. ``known``: properties that are known to fail; they are XFAIL. Raises
    WorkbenchError for an unknown name and for a trace that does not exist.
    """
    wanted = [_part(text) for text in about]
    asked = Asked(
        variants(protocols), tuple(one if isinstance(one, str) else one.label for one in protocols),
        choose_events(events), None if features is None else choose_features(features),
        None if sizes is None else tuple(sizes), vcpus, seed, jobs,
        frozenset(failure.code for failure in choose_failures(list(known))) if known else frozenset(),
        progress or Progress(),
    )  # fmt: skip
    return Post(asked, tuple(one for name, words in wanted for one in _sections(asked, name, words)))


def _marks(numbers: Sequence[int]) -> Iterator[str]:
    """Yield the marks of footnotes in ascending order; three and more that follow each other are one: "[3]-[5]"."""
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [f"[{number}]" for _, number in group]
        yield from run if len(run) < 3 else [f"{run[0]}-{run[-1]}"]


def _sections(asked: Asked, name: str, words: str) -> list[Section]:
    return WHOLE[name](asked) if name in WHOLE else [PARTS[name](asked, words)]


def _part(text: str) -> tuple[str, str]:
    """Return the name of a part and the words behind it."""
    name, _, words = text.strip().partition(" ")
    if name not in PARTS and name not in WHOLE:
        raise unknown("part", name, [*PARTS, *WHOLE])
    if words and name not in WITH_WORDS:
        raise WorkbenchError(f"part {name!r} takes no words; here are {words!r}")
    return name, words.strip()


def _source(variant: Variant) -> str:
    """Return where a design is from: the paragraph of its file that begins with "Source:"."""
    module = getmodule(variant.kind)
    for paragraph in ((module and module.__doc__) or "").split("\n\n"):
        if paragraph.lstrip().startswith("Source:"):
            return f"{variant.kind.name}: {' '.join(paragraph.split()).removeprefix('Source: ')}"
    return ""


__all__ = ["Post", "post"]
