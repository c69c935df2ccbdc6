"""The checklist of hardware as text: points by designs, each "no" with its reason and the command that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.measure.likeness.checklist import NO, POINTS, Answer
from workbench.present.text.command_line import command_lines
from workbench.present.text.table import Column, Table, as_text
from workbench.present.text.wrapped import wrapped

Found = Mapping[str, Mapping[str, Answer]]  #: by a design's label: the answer to each point


def likeness_text(found: Found, named: Mapping[str, str], features: Sequence[str] = ()) -> str:
    """Return the table, the reasons, and what real hardware does.

    ``named``: designs as a command line names them, by label. ``features``: as it names those asked about, if not all.
    """
    return "\n".join([likeness_table(found), *reasons(found, named, features), _hardware()])


def likeness_table(found: Found) -> str:
    """Return the table alone."""
    columns = [Column("normal hardware:"), *(Column("", label) for label in found)]
    rows = [[point.name, *(answers[point.name].word for answers in found.values())] for point in POINTS]
    return as_text(Table("How normal hardware operates", columns, rows))


def reasons(
    found: Found, named: Mapping[str, str] | None = None, features: Sequence[str] = ()
) -> list[str]:
    """Return why points are answered no, a block for each design; with ``named``, also the commands that show it."""
    blocks = []
    for label, answers in found.items():
        lines = []
        for point in POINTS:
            answer = answers[point.name]
            if answer.word == NO:
                lines += wrapped(f"  {point.name}: {answer.seen}")
                if named is None:
                    continue
                about = next(iter(answer.features), "")
                lines += command_lines(point.command(named[label], features, about), "    $ ")
        if lines:
            blocks.append("\n".join([*wrapped(f"{label}: not as hardware, because"), *lines]) + "\n")
    return blocks


def _hardware() -> str:
    lines = ["What real hardware does:"]
    for point in POINTS:
        lines += wrapped(f"  {point.name}: {point.claim}. {point.hardware}")
    return "\n".join(lines) + "\n"


def records(found: Found) -> list[dict[str, str]]:
    """Return one flat record for each design and point."""
    return [
        {"protocol": label, "point": point.name, "claim": point.claim, "answer": answers[point.name].word,
         "seen": answers[point.name].seen, "hardware": point.hardware}
        for label, answers in found.items()
        for point in POINTS
    ]  # fmt: skip
