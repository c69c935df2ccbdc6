"""A payload that has got one field more, at its end or in place of padding, and who writes which bytes of it.

Source of the case: ``preempted`` took the place of padding in struct kvm_steal_time (0b9f6c4615c9, Linux 4.10). The
size of an area is a field of the generic descriptor; with one register for each feature it follows from the feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.clayout.layout import U8, U64, Abi, Scalar, Struct
from workbench.clayout.tree import NAMED, CMember, CStruct
from workbench.core.contracts import Feature
from workbench.core.steps import Moment, Program, Store
from workbench.core.transition import encode
from workbench.measure.exploration.explore import TraceRow

FIELD = "field_of_newer_hosts"
LONGER = "Longer "  #: how the names of the classes begin that this file makes; no class of a file can have one
VALUE = 0x5A  #: what a newer host writes there
#: Kinds of payload that the host writes.
WRITTEN = ("entry", "request", "registration", "event")


def can_grow(feature: Feature, *, padding: bool) -> bool:
    """Tell whether the host writes this payload, so that a field more can be written; in ``padding``, if it has any."""
    return feature.update_when in WRITTEN and (not padding or _pad(feature) is not None)


def grown(feature: Feature, *, padding: bool, abi: Abi) -> Feature:
    """Return the feature with one field more; ``abi`` is the guest's, which lays out its own area.

    The host writes the field where its own ABI, x86-64, has it.
    """
    kind: Any = type(feature)
    wider = None if padding else _longer(feature.payload)
    at, _, scalar = _field(feature, wider, Abi.X86_64)

    def update(self: Any, cpu: int, gpa: int, now: Moment) -> Program:
        done = yield from kind.update(self, cpu, gpa, now)
        if done is not False:
            yield Store(gpa + at, VALUE, scalar)
        return done

    def prepare(self: Any, gpa: int) -> Program:
        yield from kind.prepare(self, gpa)
        yield Store(gpa + field_at(feature, padding=padding, abi=abi)[0], 0, scalar)

    names: dict[str, Any] = {"update": update, "prepare": prepare}
    if wider is not None:
        names |= {"payload": wider, "size": max(feature.size, wider.on(abi).size)}
    found: Feature = type(f"{LONGER}{kind.__name__}", (kind,), names)()
    return found


def field_at(feature: Feature, *, padding: bool, abi: Abi) -> tuple[int, int]:
    """Return (offset, size) in bytes of the field on one ABI."""
    at, size, _ = _field(feature, None if padding else _longer(feature.payload), abi)
    return at, size


def _field(feature: Feature, wider: Struct | None, abi: Abi) -> tuple[int, int, Scalar]:
    if wider is not None:
        return wider.on(abi).offset_of(FIELD), 8, U64
    pad = _pad(feature)
    assert pad is not None, "only a payload with padding grows there"
    return pad, 1, U8


def _pad(feature: Feature) -> int | None:
    """Return the offset of the last byte of the payload, if that is padding."""
    layout = feature.payload.on(Abi.X86_64)
    last = max(layout.fields, key=lambda field: field.offset)
    return layout.size - 1 if last.name.startswith("pad") and last.offset + last.size == layout.size else None


def _longer(payload: Struct) -> Struct:
    def with_field(tree: CStruct) -> CStruct:
        members = (*tree.members, CMember(FIELD, NAMED["__u64"]))
        return CStruct(tree.kind, tree.tag, members, tree.packed, tree.align, tree.line, tree.pack, tree.typedef_align)

    return Struct({abi: with_field(tree) for abi, tree in payload.trees.items()})


def written(rows: Sequence[TraceRow], gpa: int, size: int) -> list[tuple[int, int]]:
    """Return what the host stored in [gpa, gpa + size) in a run, as (gpa, end) of each store."""
    stores = [
        (row.own_step.gpa, row.own_step.gpa + len(encode(row.own_step)))
        for row in rows if row.side in ("kernel", "user") and isinstance(row.own_step, Store)
    ]  # fmt: skip
    return [(max(begin, gpa), min(end, gpa + size)) for begin, end in stores if begin < gpa + size and gpa < end]
