"""Failures of a descriptor, an argument that lies in guest memory."""

from workbench.checking.failures.failure import Failure
from workbench.checking.ghosts import OVERREAD, REFETCHED, UNREADABLE

DOUBLE_FETCH = Failure(
    "F05",
    "double-fetch",
    "always",
    lambda facts: not facts.value(REFETCHED),
    what="The host reads the descriptor twice, and what it acts on is not what it has checked.",
    why="The guest can pass every check with one descriptor and have the host act on another.",
    example="vCPU 1 overwrites base between the two reads of vCPU 0's registration.",
    seen='CVE-2023-4155, fixed by 7588dbcebcbf "KVM: SEV: only access GHCB fields once": the exit code was fetched '
    "twice from memory shared with the guest.",
    needs=frozenset({"descriptor"}),
)
PRIVATE_DESCRIPTOR = Failure(
    "F13",
    "private-descriptor",
    "always",
    lambda facts: not facts.value(UNREADABLE),
    what="In an encrypted guest the descriptor is not shared, so the host cannot read the request.",
    why="A register's value needs no shared memory; a descriptor must be shared before the first registration.",
    example="An SEV guest registers its clock before it has shared the descriptor.",
    seen="Linux arch/x86/kernel/kvm.c sev_map_percpu_data shares areas before they are registered; steal time is off "
    'for Arm realms because the host writes before the guest could share ("Add support for Arm RME", 2023).',
    needs=frozenset({"descriptor", "encrypted"}),
)
LAYOUT_CLASH = Failure(
    "F14",
    "layout-clash",
    "always",
    lambda facts: not facts.value(OVERREAD),
    what="The host reads more bytes than the guest's compiler has put into the descriptor.",
    why="struct kvm_memory_area has 24 bytes on x86-64, 20 on i386; if memory ends after 20 bytes, it is refused.",
    example="A 32-bit guest registers anything.",
    seen="KVM on POWER before 4.14 compared a size with its own sizeof and refused the shorter, valid one "
    "(Linux arch/powerpc/include/asm/lppaca.h declares 1 KiB for ever since).",
    needs=frozenset({"descriptor", "i386"}),
)
