"""Failures of a descriptor, an argument that lies in guest memory."""

from collections.abc import Hashable, Iterator

from workbench.checking.facts import Facts
from workbench.checking.failures.failure import Claim, Failure, Violation
from workbench.checking.failures.premises import a_descriptor_was_read
from workbench.checking.ghosts import OVERREAD, REFETCHED, UNREADABLE, fetched
from workbench.clayout.layout import Abi


def _never(ghost: Hashable, sentence: str) -> Claim:
    """Return the claim that ``ghost``, a fact about a descriptor, has not happened."""

    def violations(facts: Facts) -> Iterator[Violation]:
        if facts.value(ghost):
            yield Violation("descriptor", sentence)

    return Claim(violations)


def _changed_after_reading(facts: Facts) -> bool:
    """Tell whether a descriptor that a handler has read now holds something else."""
    if facts.scenario.protocol.descriptor is None:
        return False
    return any(
        any(data != read[offset : offset + len(data)] for offset, data in facts.content(gpa, size))
        for cpu in range(facts.scenario.vcpus)
        for (gpa, size), read in facts.value(fetched(cpu)) or ()
    )


def _from_a_private_page(facts: Facts) -> bool:
    return facts.scenario.encrypted and (bool(facts.value(UNREADABLE)) or a_descriptor_was_read(facts))


def _from_32_bits(facts: Facts) -> bool:
    return facts.scenario.abi is Abi.I386 and a_descriptor_was_read(facts)


DOUBLE_FETCH = Failure(
    "F05",
    "double-fetch",
    "always",
    _never(REFETCHED, "the host read the descriptor twice, and the second time it was another"),
    what="The host reads the descriptor twice, and what it acts on is not what it has checked.",
    why="The guest can pass every check with one descriptor and have the host act on another.",
    example="vCPU 1 overwrites base between the two reads of vCPU 0's registration.",
    seen='CVE-2023-4155, fixed by 7588dbcebcbf "KVM: SEV: only access GHCB fields once": the exit code was fetched '
    "twice from memory shared with the guest.",
    premise=_changed_after_reading,
)
PRIVATE_DESCRIPTOR = Failure(
    "F13",
    "private-descriptor",
    "always",
    _never(UNREADABLE, "the host could not read the descriptor, because its page is private"),
    what="In an encrypted guest the descriptor is not shared, so the host cannot read the request.",
    why="A register's value needs no shared memory; a descriptor must be shared before the first registration.",
    example="An SEV guest registers its clock before it has shared the descriptor.",
    seen="Linux arch/x86/kernel/kvm.c sev_map_percpu_data shares areas before they are registered; steal time is off "
    'for Arm realms because the host writes before the guest could share ("Add support for Arm RME", 2023).',
    premise=_from_a_private_page,
)
LAYOUT_CLASH = Failure(
    "F14",
    "layout-clash",
    "always",
    _never(OVERREAD, "the host read beyond the descriptor that the guest's compiler has laid out"),
    what="The host reads more bytes than the guest's compiler has put into the descriptor.",
    why="struct kvm_memory_area has 24 bytes on x86-64, 20 on i386; if memory ends after 20 bytes, it is refused.",
    example="A 32-bit guest registers anything.",
    seen="KVM on POWER before 4.14 compared a size with its own sizeof and refused the shorter, valid one "
    "(Linux arch/powerpc/include/asm/lppaca.h declares 1 KiB for ever since).",
    premise=_from_32_bits,
)
