"""``workbench layout``: print sizes, offsets and holes of a C struct on x86-64 and i386."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from workbench.clayout.layout import Abi, Layout, Struct, compare_abis, struct
from workbench.commands import _options
from workbench.reading import read_stdin, read_text


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "layout", run, "lay out a C struct for x86-64 and i386",
        description=__doc__ + " Anything that cannot be laid out without guessing is refused.",
        example="workbench layout abi.h --struct kvm_memory_area",
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", help="C text or a patch; - reads standard input")
    parser.add_argument("--struct", metavar="NAME", help="which struct (default: the last one)")
    _options.add_output(parser, ("text", "json"))


def run(args: argparse.Namespace) -> int:
    """Print both layouts."""
    found = struct(read_stdin("C text") if args.file == "-" else read_text(Path(args.file), "C text"), args.struct)
    as_json = args.format == "json"
    text = json.dumps([_record(found, abi) for abi in Abi], indent=2) if as_json else compare_abis(found)
    _options.write(args, text.rstrip("\n") + "\n")
    return 0


def _record(found: Struct, abi: Abi) -> dict[str, Any]:
    layout: Layout = found.on(abi)
    return {
        "struct": layout.struct_name,
        "abi": abi.label,
        "size": layout.size,
        "align": layout.align,
        "fields": [{"name": f.name, "offset": f.offset, "size": f.size, "type": f.ctype} for f in layout.fields],
        "holes": [{"offset": h.offset, "size": h.size, "kind": h.kind} for h in layout.holes],
    }
