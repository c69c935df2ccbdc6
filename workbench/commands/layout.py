"""``workbench layout``: print sizes, offsets and holes of a C struct on x86-64 and i386."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import LayoutError, WorkbenchError

if TYPE_CHECKING:
    from workbench.clayout.abi import Abi
    from workbench.clayout.definitions import Definitions
    from workbench.clayout.layout import Struct
    from workbench.clayout.tree import CStruct

_LEAST_WIDTH = 60  # columns: those of the numbers, and 12 each for type and name


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "layout", run, "lay out a C struct for x86-64 and i386",
        description=__doc__ + " A definition that cannot be laid out without guessing is left out, with the reason.",
        example="workbench layout abi.h --struct kvm_memory_area",
    )  # fmt: skip
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="C text, a header, a patch or a mail; - reads standard input"
    )
    parser.add_argument("--struct", metavar="NAME", help="which struct (default: the last one); with --diff also "
                        "OLD:NEW, for one that was renamed")  # fmt: skip
    parser.add_argument(
        "--diff", nargs=2, metavar=("OLD", "NEW"),
        help="two versions of a struct: what moved, and what a reader of the other version sees; "
        "the same patch twice: its two sides",
    )  # fmt: skip
    parser.add_argument("--array", type=int, metavar="N", help="N elements of the struct on the cache lines they use")
    parser.add_argument(
        "--include", metavar="DIR", type=Path, action="append", default=[],
        help="folder of the headers that FILE includes (default: the include folder that FILE is in)",
    )  # fmt: skip
    parser.add_argument(
        "--define", metavar="NAME[=VALUE]", action="append", default=[], help="a macro, such as CONFIG_SMP"
    )
    _options.add_output(parser, ("text", "json"))


def run(args: argparse.Namespace) -> int:
    """Print both layouts, both versions, or the array."""
    if (args.file is None) == (args.diff is None) or (args.diff and args.array is not None):
        raise WorkbenchError("layout takes either FILE, also with --array N, or --diff OLD NEW")
    text = _versions(args) if args.diff else _one(args)
    _options.write(args, text.rstrip("\n") + "\n")
    return 0


def _one(args: argparse.Namespace) -> str:
    from workbench.clayout.cache_lines import array_records, array_text
    from workbench.clayout.layout import Struct, compare_abis
    from workbench.clayout.record import record

    definitions = _define(args, args.file, _text(args.file))
    found = Struct(definitions.find(args.struct))
    left_out = [] if args.struct else [one.told for one in definitions.left_out]
    if args.format == "json":
        records = [record(found.on(abi)) for abi in found.abis]
        if args.array is not None:
            records = array_records(found, args.array)
        return json.dumps([{**one, "left_out": left_out} for one in records], indent=2)
    width = _width()
    text = compare_abis(found, width) if args.array is None else array_text(found, args.array, width)
    return "\n".join([text, *left_out_text(left_out, width)])


def _versions(args: argparse.Namespace) -> str:
    from workbench.clayout.paste import is_patch
    from workbench.clayout.versions_text import diff_records, diff_text

    old_file, new_file = args.diff
    text = _text(new_file)
    if old_file != new_file:
        old = _define(args, old_file, _text(old_file))
    elif is_patch(text):
        old = _define(args, old_file, text, "old")
    else:
        raise WorkbenchError(f"{new_file!r} is no patch with two sides (allowed: two files, or a patch twice)")
    new = _define(args, new_file, text)
    older, newer = _both(old, new, args.struct)
    if args.format == "json":
        return json.dumps(diff_records(older, newer), indent=2)
    return diff_text(older, newer, _width())


def _both(old: Definitions, new: Definitions, asked: str | None) -> tuple[Struct, Struct]:
    """The struct asked for in both; one that the old text lacks may be there by another name, with the same places.

    ``OLD:NEW`` names both.
    """
    from workbench.clayout.layout import Struct

    before, colon, after = (asked or "").partition(":")
    newer = Struct(new.find((after if colon else before) or None))
    wanted = before or newer.name
    if not colon and wanted not in [*old.names, *(name for one in old.left_out for name in one.names)]:
        gone = [name for name in old.names if name not in new.names]
        like = [one for one in map(Struct, _found(old, gone)) if _same(one, newer)]
        if len(like) == 1:
            return like[0], newer
    return Struct(old.find(wanted)), newer


def _found(definitions: Definitions, names: list[str]) -> Iterator[dict[Abi, CStruct]]:
    for name in names:
        with suppress(LayoutError):  # one that cannot be read is not the one
            yield definitions.find(name)


def _same(one: Struct, other: Struct) -> bool:
    from workbench.clayout.versions import same_places

    return one.abis == other.abis and all(same_places(one.on(abi), other.on(abi)) for abi in one.abis)


def _define(args: argparse.Namespace, name: str, text: str, side: str = "new") -> Definitions:
    from workbench.clayout.definitions import define
    from workbench.clayout.headers import headers_of

    for one in args.define:
        if not one.partition("=")[0].isidentifier():
            raise WorkbenchError(f"--define {one!r} is no macro (allowed: NAME or NAME=VALUE)")
    return define(text, headers_of(Path(name), args.include), args.define, side)


def _text(name: str) -> str:
    from workbench.reading import read_stdin, read_text

    return read_stdin("C text") if name == "-" else read_text(Path(name), "C text")


def _width() -> int:
    """Columns of the text: those of COLUMNS or the terminal, or of a mail if there is neither."""
    return max(_LEAST_WIDTH, shutil.get_terminal_size((72, 24)).columns)


def left_out_text(reasons: list[str], width: int) -> list[str]:
    """Say what a text defines that is not laid out."""
    from textwrap import wrap

    said = [f"Left out of this text, because it is not certain ({len(reasons)}):", *(f"  {one}" for one in reasons)]
    return [line for one in said for line in wrap(one, width, subsequent_indent="    ")] if reasons else []
