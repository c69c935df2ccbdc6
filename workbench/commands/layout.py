"""``workbench layout``: print sizes, offsets and holes of a C struct on x86-64 and i386."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from workbench.clayout.definitions import Definitions, define
from workbench.clayout.headers import headers_of
from workbench.clayout.layout import Struct, compare_abis
from workbench.clayout.record import record
from workbench.commands import _options
from workbench.errors import WorkbenchError
from workbench.reading import read_stdin, read_text


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "layout", run, "lay out a C struct for x86-64 and i386",
        description=__doc__ + " A definition that cannot be laid out without guessing is left out, with the reason.",
        example="workbench layout abi.h --struct kvm_memory_area",
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", help="C text, a header, a patch or a mail; - reads standard input")
    parser.add_argument("--struct", metavar="NAME", help="which struct (default: the last one)")
    parser.add_argument(
        "--include", metavar="DIR", type=Path, action="append", default=[],
        help="folder of the headers that FILE includes (default: the include folder that FILE is in)",
    )  # fmt: skip
    parser.add_argument(
        "--define", metavar="NAME[=VALUE]", action="append", default=[], help="a macro, such as CONFIG_SMP"
    )
    _options.add_output(parser, ("text", "json"))


def run(args: argparse.Namespace) -> int:
    """Print both layouts."""
    definitions = _read(args, args.file)
    found = Struct(definitions.find(args.struct))
    left_out = [] if args.struct else [one.told for one in definitions.left_out]
    if args.format == "json":
        text = json.dumps([{**record(found.on(abi)), "left_out": left_out} for abi in found.abis], indent=2)
    else:
        width = _width()
        text = "\n".join([compare_abis(found, width), *left_out_text(left_out, width)])
    _options.write(args, text.rstrip("\n") + "\n")
    return 0


def _read(args: argparse.Namespace, name: str) -> Definitions:
    for one in args.define:
        if not one.partition("=")[0].isidentifier():
            raise WorkbenchError(f"--define {one!r} is no macro (allowed: NAME or NAME=VALUE)")
    path = Path(name)
    text = read_stdin("C text") if name == "-" else read_text(path, "C text")
    return define(text, headers_of(path, args.include), args.define)


def _width() -> int:
    """Columns of the text: those of COLUMNS or the terminal, or of a mail if there is neither."""
    return max(40, shutil.get_terminal_size((72, 24)).columns)


def left_out_text(reasons: list[str], width: int) -> list[str]:
    """Say what a text defines that is not laid out."""
    from textwrap import wrap

    said = [f"Left out of this text, because it is not certain ({len(reasons)}):", *(f"  {one}" for one in reasons)]
    return [line for one in said for line in wrap(one, width, subsequent_indent="    ")] if reasons else []
