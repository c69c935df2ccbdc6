"""Find the hole in a struct, predict its layout on two ABIs, and repair it."""

from collections.abc import Mapping
from typing import Any

from workbench.classroom.answers import a_dict, a_number, a_text
from workbench.classroom.exercise import Exercise, Judged
from workbench.clayout.layout import Abi, Layout, Struct, struct
from workbench.errors import WorkbenchError

POSTED = """struct pv_report {
    __u8  version;
    __u64 base;
    __u32 size;
    __u16 flags;
};"""
MEMBERS = ("version", "base", "size", "flags")
ABIS = {"x86_64": Abi.X86_64, "i386": Abi.I386}


class StructHole(Exercise):
    """A struct whose layout depends on the ABI."""

    name, number = "struct-hole", 2
    title = "Find the hole in a struct"
    aim = "lay a C struct out by hand on x86-64 and i386, and make its layout the same on both"
    minutes, points = 10, 6
    knows = ("C: sizeof and offsetof", "notebook 01: one struct on x86-64 and on i386")
    hints = (
        "A member begins at a multiple of its alignment. On x86-64 the alignment of __u64 is 8. What lies between the "
        "end of version and the next multiple of 8?",
        "On i386 the alignment of a __u64 in a struct is 4, not 8. And a struct's size is a multiple of its largest "
        "alignment: look behind the last member too.",
        "To repair it, put the large members first. Then name each byte that is still left over, as in `__u8 pad;`: "
        "nothing that the compiler adds may remain on either ABI.",
    )

    def judge(self, answer: Any) -> Judged:
        """Lay the posted struct and the repaired one out, and compare offset by offset."""
        chosen = a_dict(answer, "the answer", (*ABIS, "hole", "repaired"))
        for name, abi in ABIS.items():
            if wrong := _misplaced(name, abi, a_dict(chosen[name], f"answer[{name!r}]", (*MEMBERS, "sizeof"))):
                return wrong
        hole = a_dict(chosen["hole"], "answer['hole']", ("after", "bytes"))
        return _wrong_hole(hole) or _repaired(a_text(chosen["repaired"], "answer['repaired']"))


def _offsets(layout: Layout) -> dict[str, int]:
    """Return where each member begins, and the struct's size."""
    return {field.name: field.offset for field in layout.fields} | {"sizeof": layout.size}


def _misplaced(name: str, abi: Abi, told: Mapping[str, Any]) -> Judged | None:
    for member, found in _offsets(struct(POSTED).on(abi)).items():
        number = a_number(told[member], f"answer[{name!r}][{member!r}]")
        if number != found:
            what = "sizeof(struct pv_report)" if member == "sizeof" else f"offsetof({member})"
            said = f"on {abi.label} {what} is {found}, and the answer says {number}"
            return Judged(False, said, RAN)
    return None


def _wrong_hole(told: Mapping[str, Any]) -> Judged | None:
    """Compare a hole between two members on x86-64 with the layout's."""
    after, size = a_text(told["after"], "answer['hole']['after']", MEMBERS), a_number(told["bytes"], "the hole")
    layout = struct(POSTED).on(Abi.X86_64)
    end = next(field.offset + field.size for field in layout.fields if field.name == after)
    begin = min((field.offset for field in layout.fields if field.offset >= end), default=layout.size)
    if end < layout.size and begin == end:
        return Judged(False, f"on x86-64 the member behind {after} begins where {after} ends, at {end}: no hole", RAN)
    if after == MEMBERS[-1]:
        return Judged(False, f"the {begin - end} bytes behind {after} are tail padding, not between members", RAN)
    if begin - end != size:
        return Judged(False, f"on x86-64 {begin - end} bytes lie between {after} and the next member, not {size}", RAN)
    return None


def _repaired(text: str) -> Judged:
    try:
        found = struct(text)
    except WorkbenchError as error:
        return Judged(False, f"answer['repaired'] cannot be laid out: {error}")
    wrong = _members_missing(found) or _padding_left(found)
    if wrong:
        return Judged(False, wrong, REPAIRED)
    size = found.on(Abi.X86_64).size
    return Judged(True, f"the repaired struct has {size} bytes on both ABIs, and the compiler adds none", REPAIRED)


def _members_missing(found: Struct) -> str:
    before, now = ({f.name: f.size for f in one.on(Abi.X86_64).fields} for one in (struct(POSTED), found))
    for member, size in before.items():
        if now.get(member) != size:
            return f"the repaired struct has {now.get(member, 'no')} bytes of {member}; the posted one has {size}"
    extra = [name for name in now if name not in before and "pad" not in name and "reserved" not in name]
    return f"the repaired struct has a new member {extra[0]!r}; only padding may be added" if extra else ""


def _padding_left(found: Struct) -> str:
    for abi in Abi:
        for hole in found.on(abi).holes:
            size = "1 byte" if hole.size == 1 else f"{hole.size} bytes"
            return f"on {abi.label} the compiler still adds {size} of padding, at offset {hole.offset}"
    one, other = (_offsets(found.on(abi)) for abi in Abi)
    differ = [name for name in one if one[name] != other[name]]
    return f"{differ[0]} is {one[differ[0]]} on x86-64 and {other[differ[0]]} on i386" if differ else ""


RAN = "print(compare_abis(struct(posted)))"
REPAIRED = "print(compare_abis(struct(answer['repaired'])))"
