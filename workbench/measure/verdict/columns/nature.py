"""Whether it is safe when kernels change, what an encrypted guest shows, when it works, how like hardware it is."""

from __future__ import annotations

from functools import partial

from workbench.checking.failures import FAILURES
from workbench.engines.explore import NOT_EXERCISED
from workbench.measure.likeness.checklist import NO, NOTHING, YES
from workbench.measure.verdict.asked import Asked, Cell, Column
from workbench.measure.verdict.columns.failures import shortest, told, unfinished
from workbench.measure.verdict.law import SIZES, law

#: What a kernel that has ended must not leave behind: writes into memory that is no longer its own, areas still served.
LEFT_BEHIND = ("F01", "F03")
REGISTERS = "S01"
UNAIDED = "kexec-no-teardown"


def _safe(asked: Asked, *, event: str) -> Cell:
    found = shortest(asked.failing(*LEFT_BEHIND, event=event))
    asked_for = [cell for cell in asked.verdicts if cell.event == event and cell.property in LEFT_BEHIND]
    names = ",".join(FAILURES[code].code for code in LEFT_BEHIND)
    command = asked.matrix(f"--events {event}", f"--property {names}")
    if not asked_for:
        return Cell("-", None, f"{event} was not explored", command)
    if found:
        return Cell("fails", 1, told(found), command)
    if open_ended := unfinished(asked_for):
        return Cell("?", None, open_ended, command)
    if asked.failing(REGISTERS, event=event) or all(cell.verdict == NOT_EXERCISED for cell in asked_for):
        return Cell("-", None, "nothing registers, so nothing could be left behind", command)
    return Cell("safe", 0, "nothing is left behind", command)


def _shared(asked: Asked) -> Cell:
    command = asked.command("compare", "--events boot", "--metrics shared_pages", f"--vcpus {SIZES[0]}")
    if asked.variant.kind.places_areas:
        return Cell("host's", None, "the areas are in memory of the host, which a guest must map as shared", command)
    found = law(lambda vcpus: asked.run("boot", vcpus).guest_memory.shared_pages)
    reads = asked.likeness["request in a register"].word
    seen = f"pages shared: {', '.join(map(str, found.counts))} at {', '.join(map(str, SIZES))} vCPUs"
    more = "; the request is among them" if reads == NO else ""
    return Cell(str(found), found.at_large, seen + more, command)


def _earliest(asked: Asked) -> Cell:
    counts = asked.run("boot", SIZES[0]).counts
    used = [cause for cause in ("wrmsr", "rdmsr", "hypercall", "mmio", "pio") if counts[f"{cause}_exits"]]
    metrics = ",".join(f"{cause}_exits" for cause in ("wrmsr", "hypercall", "mmio", "pio"))
    command = asked.command("compare", "--events boot", f"--metrics {metrics}", f"--vcpus {SIZES[0]}")
    if not used:
        return Cell("-", None, "a boot leaves the guest by nothing", command)
    seen = f"a boot leaves the guest by {' and '.join(used)}"
    if "mmio" in used or "pio" in used:
        return Cell("device", 2, f"{seen}: the device must have been found", command)
    if asked.likeness["request in a register"].word == NO:
        return Cell("memory", 1, f"{seen}, and by a request in memory", command)
    return Cell("at once", 0, seen, command)


def _hardware(asked: Asked) -> Cell:
    answers = [answer for answer in asked.likeness.values() if answer.word != NOTHING]
    if not answers:
        return Cell("-", None, "nothing could be asked", asked.command("hardware"))
    yes = sum(answer.word == YES for answer in answers)
    wrong = [name for name, answer in asked.likeness.items() if answer.word not in (YES, NOTHING)]
    seen = f"not as hardware: {', '.join(wrong) or 'nothing'}"
    return Cell(f"{yes}/{len(answers)}", -yes / len(answers), seen, asked.command("hardware"))


COLUMNS = (
    Column("kexec-safe", "whether anything is left behind after a kexec", "kexec", partial(_safe, event="kexec")),
    Column("unaided", "whether anything is left if the old kernel revokes nothing", "kexec",
           partial(_safe, event=UNAIDED)),
    Column("crash-safe", "whether anything is left behind after a crash", "kexec", partial(_safe, event="crash")),
    Column("shared", "pages that an encrypted guest must share", "encrypted", _shared),
    Column("earliest", "what must work before it can be used", "boot", _earliest),
    Column("hardware", "points of the checklist of hardware that are met", "hardware", _hardware),
)  # fmt: skip
