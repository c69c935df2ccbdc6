"""The members of structs as gcc writes them into debugging information: which there are, not only where those are
that we ask for.

    python -m tests.golden.layouts.dwarf [PATTERN]     # such as linux/kvm*.h; default: all of linux/ and asm/

Source: DWARF 5, sections 5.7.1 (structure types) and 5.7.6 (data members), as readelf --debug-dump=info prints them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.golden.layouts import corpus, make
from workbench.clayout.definitions import define
from workbench.clayout.headers import headers_of
from workbench.clayout.layout import Abi, Layout, Struct
from workbench.errors import WorkbenchError

_ENTRY = re.compile(r"^ <([0-9a-f]+)><([0-9a-f]+)>: Abbrev Number: \d+ \((DW_TAG_\w+)\)")
_ATTRIBUTE = re.compile(r"^\s+<[0-9a-f]+>\s+(DW_AT_\w+)\s*: (?:\(indirect [^)]*\): )?(.*?)\s*$")
AGGREGATES = {"DW_TAG_structure_type": "struct", "DW_TAG_union_type": "union"}

Members = dict[str, int]  # by name: the first bit


@dataclass
class Entry:
    """One debugging information entry, with what is below it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    below: list[Entry] = field(default_factory=list)


def known_members(source: str, flag: str, more: list[str]) -> dict[str, Members]:
    """The members of each struct and union that gcc knows behind ``source``, as C spells it: ``struct a``, ``a_t``.

    Members of anonymous structs count as members of the enclosing one, those of others have dotted names. Raises
    CalledProcessError if the source does not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        corpus.without_32_bit_libc(Path(folder))
        (Path(folder) / "x.c").write_text(source)
        flags = [flag, "-w", "-g", "-gdwarf-5", "-fno-eliminate-unused-debug-types", "-c", *more]
        subprocess.run(["gcc", *flags, "x.c", "-o", "x.o"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        command = ["readelf", "--debug-dump=info", "x.o"]
        entries = dict(_entries(subprocess.check_output(command, cwd=folder, text=True).splitlines()))
    found = {}
    for one in entries.values():
        if one.tag in AGGREGATES and "DW_AT_name" in one.attributes and "DW_AT_declaration" not in one.attributes:
            found[f"{AGGREGATES[one.tag]} {one.attributes['DW_AT_name']}"] = _members(one, entries)
        elif one.tag == "DW_TAG_typedef" and "DW_AT_type" in one.attributes:
            named = entries.get(_reference(one))
            if named is not None and named.tag in AGGREGATES:
                found[one.attributes["DW_AT_name"]] = _members(named, entries)
    return found


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, Entry]]:
    """Yield each entry with its offset in the section."""
    above: list[Entry] = []
    for line in lines:
        if start := _ENTRY.match(line):
            entry = Entry(start[3])
            del above[int(start[1], 16) :]
            if above:
                above[-1].below.append(entry)
            above.append(entry)
            yield start[2], entry
        elif above and (found := _ATTRIBUTE.match(line)):
            above[-1].attributes[found[1]] = found[2]


def _reference(entry: Entry) -> str:
    return entry.attributes["DW_AT_type"].strip("<>").removeprefix("0x")


def _members(of: Entry, entries: dict[str, Entry], start: int = 0, prefix: str = "") -> Members:
    found: Members = {}
    for one in of.below:
        if one.tag != "DW_TAG_member":
            continue
        at, inner = one.attributes, _aggregate(one, entries)
        first = start + 8 * int(at.get("DW_AT_data_member_location", "0"), 0)
        first += int(at.get("DW_AT_data_bit_offset", "0"), 0)
        path = prefix
        if "DW_AT_name" in at:
            path += at["DW_AT_name"]
            found[path] = first
            path += "."
        if inner is not None:
            found |= _members(inner, entries, first, path)
    return found


def _aggregate(member: Entry, entries: dict[str, Entry]) -> Entry | None:
    """Return the struct or union that a member is; None if it is anything else, an array too."""
    kind: Entry | None = entries[_reference(member)]
    while kind is not None and kind.tag in ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type"):
        kind = entries[_reference(kind)] if "DW_AT_type" in kind.attributes else None
    return kind if kind is not None and kind.tag in AGGREGATES else None


def our_members(layout: Layout) -> Members:
    """The same from our layout."""
    return {path: bits.start for path, bits, _ in corpus.members(layout)}


def _known(source: str, abi: Abi) -> dict[str, Members] | None:
    try:
        return known_members(source, make.FLAGS[abi.label], corpus.INCLUDES)
    except subprocess.CalledProcessError:
        return None


def compare(headers: Iterable[Path]) -> tuple[int, list[str]]:
    """Return how many layouts were compared, and what differs."""
    compared, wrong = 0, []
    for path in headers:
        names = corpus.spelled_names(path)
        found = define(path.read_text(errors="replace"), headers_of(path))
        include = str(path.relative_to(corpus.INCLUDE)).removeprefix("x86_64-linux-gnu/")
        before = "".join(f"#include <{name}>\n" for name in corpus.BEFORE)
        for abi in Abi if names else ():
            alone = f"#include <{include}>\n"
            theirs = _known(alone, abi) or _known(before + alone, abi) or {}  # libc's names are not the kernel's
            for name in (one for one in names if one in theirs):
                try:
                    ours = our_members(Struct(found.find(name.rpartition(" ")[2])).on(abi))
                except WorkbenchError:
                    continue  # refused, which is no wrong answer
                compared += 1
                if ours != theirs[name]:
                    wrong.append(f"{include} {abi.label}: {name}: {ours}, gcc {theirs[name]}")
    return compared, wrong


def main() -> int:
    """Print the figures; return 1 if a member is missing or elsewhere."""
    compared, wrong = compare(corpus.installed(*sys.argv[1:2]))
    sys.stdout.write("".join(f"WRONG {one}\n" for one in wrong))
    sys.stdout.write(f"{compared} lists of members compared with gcc's debugging information: {len(wrong)} differ\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
