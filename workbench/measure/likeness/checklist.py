"""The checklist "how normal hardware operates", each point decided by running a design on a simulated machine.

The words are those of the review of 26 January 2011, which does not say what is meant. The points are what the
architecture manuals promise of model specific registers; each names real hardware that does otherwise, or that does so.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from workbench.checking.failures import FAILURES
from workbench.core.contracts import Feature
from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.core.step_text import key_text
from workbench.core.steps import Rdmsr
from workbench.engines.explore import FAILS
from workbench.measure.comparison.metrics import is_new
from workbench.measure.design_check.line import FAIL
from workbench.measure.design_check.operations import NOWHERE
from workbench.measure.design_check.runs import save_and_restore
from workbench.measure.design_check.tried import Tried, differing
from workbench.measure.exploration.explore import Question, explored
from workbench.measure.likeness.watched import Watched, kept_for
from workbench.measure.variants import Variant

YES, NO, NOTHING = "yes", "no", "-"


class Answer(NamedTuple):
    """A design's answer to a point: ``yes``, ``no``, or ``-`` where there was nothing to ask; and what was seen."""

    word: str
    seen: str
    features: tuple[str, ...] = ()  #: those of which the answer is no; none if it is not about single features


@dataclass(frozen=True)
class Point:
    """One point: what is claimed of hardware, how it is asked, and what real hardware does."""

    name: str
    claim: str
    ask: Callable[[Variant, tuple[Feature, ...]], Answer]
    hardware: str  #: real hardware that does so, or otherwise, with its source
    #: Pieces of the command line that shows a "no"; {protocol}: the design; {feature}: the first that it is about.
    evidence: tuple[str, ...] = ()  #: if empty, the steps of single operations show it: ``--steps``

    def command(self, protocol: str, features: Sequence[str], about: str) -> list[str]:
        """Return the pieces of the command that shows a "no" of a design, named as a command line names it.

        ``features``: those asked about, as named there, if not all; ``about``: the first that the answer is about.
        """
        steps = ("workbench hardware", "--protocols {protocol}", f"--steps {shlex.quote(self.name)}")
        evidence = self.evidence or steps
        pieces = [one.format(protocol=shlex.quote(protocol), feature=shlex.quote(about)) for one in evidence]
        if features and "{feature}" not in " ".join(evidence):
            pieces.append(f"--features {','.join(map(shlex.quote, features))}")
        return pieces


def _of_all(found: dict[str, bool], good: str, bad: str) -> Answer:
    """Answer for features: yes if it is so of all, and else which differ."""
    wrong = [name for name, is_so in found.items() if not is_so]
    if not found:
        return Answer(NOTHING, "no feature could be asked about")
    if wrong:
        return Answer(NO, f"{bad}: {', '.join(wrong)}", tuple(wrong))
    return Answer(YES, f"{good} ({len(found)} features)")


def _with_memory(chosen: Variant, features: tuple[Feature, ...]) -> list[Feature]:
    protocol = chosen.protocol(features)
    return [feature for feature in features if protocol.supports(feature) and not feature.is_value]


def in_registers(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """All state that a host keeps is shown by a register."""
    tried = Tried(chosen, features, booted=True)
    entries = tried.protocol.state(tried.entries(), tuple(tried.machine.cpus.values()))
    if not entries:
        return Answer(NOTHING, "the host keeps nothing")
    shown = sum(entry.architected for entry in entries)
    if shown and reads_back(chosen, features).word == NO:  # the design says so of itself: it is tried too
        return Answer(NO, f"of {shown} entries it is said that a register shows them; none shows where an area is")
    return Answer(YES if shown == len(entries) else NO, f"a register shows {shown} of {len(entries)} entries")


def reads_back(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """The guest can read where an area is registered: by the design's own way, or from a register that it claims."""
    found = {feature.name: _reads(tried, feature) for feature, tried in _accepted(chosen, features)}
    return _of_all(found, "what is registered can be read", "cannot be read back")


def _reads(tried: Tried, feature: Feature) -> bool:
    gpa, protocol = tried.gpa(feature), tried.protocol
    if tried.guest(protocol.confirm(tried.scenario.cpu(0), feature, gpa)) is ACCEPTED:
        return True
    shown = [tried.one(Rdmsr(msr)) for msr in sorted(protocol.msrs)]
    return any(isinstance(value, int) and gpa <= value < gpa + feature.align for value in shown)


def reset_clears(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """After INIT a vCPU's registration state is what it was when the vCPU was made."""
    tried = Tried(chosen, features, booted=True)
    before = registered_for(tried, 1)
    tried.host(tried.protocol.on_init(tried.machine.cpus[1]), 1)
    if not before:
        return Answer(NOTHING, "the host keeps nothing for a vCPU")
    left = differing(registered_for(Tried(chosen, features), 1), registered_for(tried, 1))
    return Answer(NO, f"outlives INIT: {', '.join(map(key_text, left))}") if left else Answer(YES, "INIT clears all")


def registered_for(tried: Tried, cpu: int) -> dict[Any, Any]:
    """Return what is registered for a vCPU: what a migration carries, and where the host serves areas."""
    kept, all_entries = kept_for(tried.entries(derived=False), cpu), kept_for(tried.entries(), cpu)
    return kept | {key: value for key, value in all_entries.items() if key.kind == "area"}


def request_in_register(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """The request is in registers: the host reads no memory to learn what is asked."""
    found = {feature.name: not watched.host_read for feature, watched in _registered(chosen, features)}
    return _of_all(found, "the host reads no memory", "the host reads the request from memory")


def result_in_register(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """The result comes by the access itself: the host writes none into memory."""
    found = {feature.name: not watched.host_wrote for feature, watched in _registered(chosen, features)}
    return _of_all(found, "the host writes no result", "the host writes a result into memory")


def one_access(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """A registration is one access."""
    found = {feature.name: watched.exits == 1 for feature, watched in _registered(chosen, features)}
    return _of_all(found, "one exit each", "more than one exit")


def atomic(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """One access has one effect, whatever another vCPU does at that time: explored, every interleaving."""
    named = next((one for one, _ in _accepted(chosen, features) if one.scope == "vcpu"), None)
    if named is None:
        return Answer(NOTHING, "no feature has an area for each vCPU that the host serves")
    codes = ("F05", "F15")
    question = Question.of(chosen, "descriptor-race", [named], 2)
    verdicts = explored(question, [FAILURES[code] for code in codes]).result.verdicts
    failing = [FAILURES[code].title for code in codes if verdicts[code] == FAILS]
    if failing:
        return Answer(NO, f"{', '.join(failing)} ({named.name})", (named.name,))
    return Answer(YES, f"explored, {named.name}")


def generic_save(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """The interface that saves and restores any register carries it."""
    tried = Tried(chosen, features, booted=True)
    entries = tried.protocol.state(tried.entries(), tuple(tried.machine.cpus.values()))
    other = [entry for entry in entries if not entry.carried]
    if not entries:
        return Answer(NOTHING, "the host keeps nothing")
    if any(map(is_new, entries)):
        made = sorted({entry.interface for entry in entries if is_new(entry)} - {"none"})
        return Answer(NO, f"needs {', '.join(made)}" if made else "no interface that exists carries it")
    if other:
        return Answer(NO, f"no interface that exists carries {len(other)} of {len(entries)} entries")
    tried_too = save_and_restore(chosen, features)  # what carries it, the design says of itself
    if tried_too.status == FAIL:
        return Answer(NO, f"a restore gives something else: {tried_too.text}")
    return Answer(YES, ", ".join(sorted({entry.interface for entry in entries})))


def own_effect(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """A registration has no effect on another feature's area, nor on that of another vCPU."""
    found: dict[str, bool] = {}
    own = [feature for feature, _ in _accepted(chosen, features)]
    for feature in own:
        for cpu in (0, 1) if feature.scope == "vcpu" else (0,):
            tried = Tried(chosen, features)
            for one in own:
                tried.guest(one.prepare(tried.gpa(one)))
                tried.register(one, tried.gpa(one))
            others = [one for one in own if one is not feature or cpu == 1]
            before = [tried.serves(one, 0, tried.gpa(one)) for one in others]
            tried.guest(feature.prepare(tried.gpa(feature, cpu)), cpu)
            tried.register(feature, tried.gpa(feature, cpu), cpu)
            same = before == [tried.serves(one, 0, tried.gpa(one)) for one in others]
            found[feature.name] = same and found.get(feature.name, True)
    return _of_all(found, "the others are served as before", "another area is served otherwise")


def idempotent(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """The same registration again changes nothing and writes nothing."""
    found = {}
    for feature, tried in _accepted(chosen, features):
        gpa = tried.gpa(feature)
        tried.enter()
        before, watched = tried.entries(derived=False), Watched(tried, feature, gpa)
        tried.register(feature, gpa)
        found[feature.name] = not differing(before, tried.entries(derived=False)) and not watched.host_wrote_area
    return _of_all(found, "no second effect", "a second effect")


def refusal_is_told(chosen: Variant, features: tuple[Feature, ...]) -> Answer:
    """A place that the host cannot serve is refused."""
    found = {
        feature.name: _ready(chosen, features, feature).register(feature, NOWHERE) is REFUSED
        for feature, _ in _accepted(chosen, features)
    }
    return _of_all(found, "refused where there is no RAM", "accepted where there is no RAM")


def _ready(chosen: Variant, features: tuple[Feature, ...], feature: Feature) -> Tried:
    """Return a machine whose guest has prepared an area, and registered the one that others of its ABI may need."""
    tried = Tried(chosen, features)
    for one in needed_first(chosen, features, feature):
        tried.guest(one.prepare(tried.gpa(one)))
        tried.register(one, tried.gpa(one))
    tried.guest(feature.prepare(tried.gpa(feature)))
    return tried


def needed_first(chosen: Variant, features: tuple[Feature, ...], feature: Feature) -> list[Feature]:
    """Return what is registered before a feature: the first of a design's own ABI (PAPR: the VPA before all others)."""
    return [one for one in features if one.name in chosen.kind.own_features[:1] and one is not feature]


def _accepted(chosen: Variant, features: tuple[Feature, ...]) -> Iterator[tuple[Feature, Tried]]:
    """Yield each feature that the guest believes registered after its call, with the machine."""
    for feature in _with_memory(chosen, features):
        tried = _ready(chosen, features, feature)
        if tried.register(feature, tried.gpa(feature)) is not REFUSED:
            yield feature, tried


def _registered(chosen: Variant, features: tuple[Feature, ...]) -> Iterator[tuple[Feature, Watched]]:
    """Yield the same features, with what was seen of the call."""
    for feature, _ in _accepted(chosen, features):
        tried = _ready(chosen, features, feature)
        watched = Watched(tried, feature, tried.gpa(feature))
        tried.register(feature, watched.gpa)
        yield feature, watched


def _compare(*more: str) -> tuple[str, ...]:
    return ("workbench compare", "--protocols {protocol}", "--vcpus 2", *more)


_RACE = ("workbench explore {protocol}", "--events descriptor-race", "--features {feature}", "--vcpus 2",
         "--property F05,F15")  # fmt: skip
POINTS = (
    Point("state in registers", "all state that the host keeps is shown by a register", in_registers,
          "GITS_BASER of Arm's GICv3 ITS: the addresses of the tables are in registers, the tables in memory "
          "(GITS_BASER in include/linux/irqchip/arm-gic-v3.h)",
          _compare("--events boot", "--metrics state_bytes")),
    Point("can be read back", "what is registered can be read", reads_back,
          "IA32_DS_AREA reads back, the structure at its address is memory (struct debug_store, "
          "arch/x86/include/asm/intel_ds.h)"),
    Point("reset gives a known state", "INIT clears what a vCPU has registered", reset_clears,
          "An MSR that INIT keeps is not unheard of: IA32_TSC is one (Intel SDM 3A, state after INIT)"),
    Point("request in a register", "the host reads no memory to learn what is asked", request_in_register,
          "s390 MPCIFC passes a block in memory (struct zpci_fib, arch/s390/include/asm/pci_insn.h); NVMe's Doorbell "
          "Buffer Config a queue entry (nvme_dbbuf_set, drivers/nvme/host/pci.c)"),
    Point("no result in memory", "the result comes by the access itself", result_in_register,
          "MPCIFC: condition code and status in a register (zpci_mod_fc, arch/s390/pci/pci_insn.c); NVMe: a "
          "completion in memory (struct nvme_completion, include/linux/nvme.h)"),
    Point("one access", "a registration is one access", one_access,
          "An index and a data register take two: PCI's 0xCF8 and 0xCFC (pci_conf1_read, arch/x86/pci/direct.c)"),
    Point("one atomic effect", "no other vCPU comes between its parts", atomic,
          "0xCF8 and 0xCFC are one pair for all CPUs: Linux holds a lock around them (pci_config_lock, pci_conf1_read, "
          "arch/x86/pci/direct.c)", _RACE),
    Point("generic save and restore", "the interface of all registers carries it", generic_save,
          "GITS_BASER is saved as a register (KVM_DEV_ARM_VGIC_GRP_ITS_REGS, "
          "Documentation/virt/kvm/devices/arm-vgic-its.rst)",
          _compare("--events migrate")),
    Point("no effect elsewhere", "other areas are served as before", own_effect,
          "IA32_MTRR_DEF_TYPE switches all other MTRRs on and off (Intel SDM 3A, memory cache control)"),
    Point("idempotent", "the same write again has no second effect", idempotent,
          "A write of 1 to IA32_PRED_CMD acts each time: command registers are not idempotent "
          "(indirect_branch_prediction_barrier, arch/x86/include/asm/nospec-branch.h)"),
    Point("a refusal is told", "a place that cannot be served is refused", refusal_is_told,
          "A WRMSR of a reserved bit is #GP; an address without memory is not noticed (Intel SDM 2, WRMSR)"),
)  # fmt: skip


def likeness(chosen: Variant, features: tuple[Feature, ...]) -> dict[str, Answer]:
    """Return the answer to each point, by name."""
    return {point.name: point.ask(chosen, features) for point in POINTS}


__all__ = ["NO", "NOTHING", "POINTS", "YES", "Answer", "Point", "likeness", "needed_first", "registered_for"]
