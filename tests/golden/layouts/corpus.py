"""Every struct of the kernel's installed headers (linux-libc-dev), laid out by us and by gcc, on both ABIs.

    python -m tests.golden.layouts.corpus [PATTERN]     # such as linux/kvm*.h; default: all of linux/ and asm/

The names come from a regular expression over the headers, so that the parser is not asked what it should find. gcc
is asked for size, alignment, and place and size of every member that we see, and for the bits of every bit-field.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.golden.layouts import make
from workbench.clayout.definitions import Definitions, define
from workbench.clayout.headers import headers_of
from workbench.clayout.layout import Abi, Layout, Struct
from workbench.errors import WorkbenchError

INCLUDE = Path("/usr/include")
FOLDERS = ("linux", "x86_64-linux-gnu/asm", "asm-generic")
#: What programs include before headers that do not compile alone.
BEFORE = (
    "stddef.h", "stdint.h", "limits.h", "time.h", "signal.h", "sys/types.h", "sys/socket.h", "sys/ioctl.h", "net/if.h",
    "netinet/in.h", "linux/types.h",
)  # fmt: skip
INCLUDES = ["-I.", "-isystem", str(INCLUDE / "x86_64-linux-gnu")]
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_TAGGED = re.compile(r"\b(struct|union)\s+(?:__attribute__\s*\(\(.*?\)\)\s*)?([A-Za-z_]\w*)\s*\{")
_TYPEDEF = re.compile(r"\btypedef\s+(?:struct|union)[^{};]*\{")
_NAME = re.compile(r"(?:\s*__attribute__\s*\(\(.*?\)\))*\s*([A-Za-z_]\w*)")


def installed(pattern: str = "") -> list[Path]:
    """The headers, or those whose path below /usr/include matches ``pattern``; none if they are not installed."""
    found = [path for folder in FOLDERS for path in sorted((INCLUDE / folder).rglob("*.h"))]
    return [path for path in found if not pattern or path.match(pattern)]


def spelled_names(path: Path) -> list[str]:
    """The structs and unions of a header as C spells them: ``struct a``, ``union b``, ``c_t``."""
    text = _DEFINE.sub("", _COMMENT.sub(" ", path.read_text(errors="replace")))
    found = [f"{kind} {name}" for kind, name in _TAGGED.findall(text) if not name.startswith("__ARCH_SI")]
    for match in _TYPEDEF.finditer(text):
        depth, at = 1, match.end()
        while depth and at < len(text):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if name := _NAME.match(text, at):
            found.append(name[1])
    return [name for name in dict.fromkeys(found) if not name.endswith("__ATM_API_ALIGN")]


@dataclass
class Result:
    """What came of the structs of some headers."""

    structs: int = 0
    laid_out: int = 0
    compared: Counter[str] = field(default_factory=Counter)  # by ABI
    refused: Counter[str] = field(default_factory=Counter)  # by reason
    not_for_gcc: Counter[str] = field(default_factory=Counter)  # by ABI: laid out here, unknown to gcc there
    wrong: list[str] = field(default_factory=list)


def measure(headers: Iterable[Path]) -> Result:
    """Lay out all structs of the headers, and compare with gcc those that it accepts."""
    total = Result()
    for path in headers:
        names = spelled_names(path)
        if not names:
            continue
        total.structs += len(names)
        found = define(path.read_text(errors="replace"), headers_of(path))
        ours = dict(_laid_out(names, found, total))
        total.laid_out += len(ours)
        for abi in Abi:
            here = {name: made.on(abi) for name, made in ours.items() if abi in made.abis}
            total.wrong += [f"{path}: {said}" for said in _compared(path, here, abi, total)]
    return total


def _laid_out(names: list[str], found: Definitions, total: Result) -> Iterator[tuple[str, Struct]]:
    for name in names:
        try:
            yield name, Struct(found.find(name.rpartition(" ")[2]))
        except WorkbenchError as error:
            reason = re.sub(r".*line \d+: ", "", str(error)).partition(" (allowed")[0].partition("; it defines")[0]
            total.refused[reason] += 1


def members(layout: Layout, prefix: str = "", start: int = 0) -> Iterator[tuple[str, range, bool]]:
    """Each member with its path, its bits and whether it is a bit-field; elements of arrays are not entered."""
    for one in layout.fields:
        bits = range(start + one.bits.start, start + one.bits.stop)
        yield prefix + one.name, bits, one.bit_width is not None
        if isinstance(one.type, Layout):
            yield from members(one.type, f"{prefix}{one.name}.", bits.start)


def _compared(path: Path, here: dict[str, Layout], abi: Abi, total: Result) -> Iterator[str]:
    """Yield what differs from gcc; structs that gcc does not know in this header are counted."""
    include = str(path.relative_to(INCLUDE)).removeprefix("x86_64-linux-gnu/")
    answers, known = None, here
    for before in ("", "".join(f"#include <{name}>\n" for name in BEFORE)):
        head = f"{before}#include <{include}>\n"
        answers = _answers(head, here, abi)
        if answers is None:
            known = {name: layout for name, layout in here.items() if name in _known(head, list(here), abi)}
            answers = _answers(head, known, abi) if known else None
        if answers is not None:
            break
    total.not_for_gcc[abi.label] += len(here) - (len(known) if answers is not None else 0)
    for i, (name, layout) in enumerate(known.items() if answers is not None else ()):
        total.compared[abi.label] += 1
        if wrong := list(_differences(i, layout, answers or {})):
            yield f"{name} on {abi.label}: {'; '.join(wrong)}"


def _answers(head: str, asked: dict[str, Layout], abi: Abi) -> dict[str, bytes] | None:
    """gcc's numbers for the structs; None if it does not compile one of the questions."""
    questions = (_questions(i, name, layout) for i, (name, layout) in enumerate(asked.items()))
    with tempfile.TemporaryDirectory() as folder:
        without_32_bit_libc(Path(folder))
        try:
            return make.compiled(head + "".join(questions), make.FLAGS[abi.label], Path(folder), INCLUDES)
        except subprocess.CalledProcessError:
            return None


def _known(head: str, names: list[str], abi: Abi) -> set[str]:
    """The structs that gcc knows behind the includes ``head``; none if it does not compile them."""
    lines = "".join(f'#line 1 "{i}.q"\nconst int q{i} = sizeof({name});\n' for i, name in enumerate(names))
    said = _gcc(head + lines, abi).stderr
    errors = [line for line in said.splitlines() if " error: " in line]
    unknown = {int(match[1]) for line in errors if (match := re.match(r"(\d+)\.q:", line))}
    if len(errors) > sum(re.match(r"\d+\.q:", line) is not None for line in errors):
        return set()
    return {name for i, name in enumerate(names) if i not in unknown}


def _questions(i: int, name: str, layout: Layout) -> str:
    numbers = [f"sizeof({name})", f"_Alignof({name})"]
    ones = []
    for j, (path, bits, is_bits) in enumerate(members(layout)):
        if is_bits:
            ones.append(f"const {name} b{i}_{j} = {{ .{path} = -1 }};\n")
        else:
            numbers.append(f"__builtin_offsetof({name}, {path})")
            numbers += [f"sizeof((({name} *)0)->{path})"] if len(bits) else []
    return f"const unsigned n{i}[] = {{ {', '.join(numbers)} }};\n{''.join(ones)}"


def _differences(i: int, layout: Layout, answers: dict[str, bytes]) -> Iterator[str]:
    raw = answers[f"n{i}"]
    numbers = iter([int.from_bytes(raw[k : k + 4], "little") for k in range(0, len(raw), 4)])
    for what, ours in (("size", layout.size), ("align", layout.align)):
        if (theirs := next(numbers)) != ours:
            yield f"{what} {ours}, gcc {theirs}"
    for j, (path, bits, is_bits) in enumerate(members(layout)):
        if is_bits:
            ones = int.from_bytes(answers[f"b{i}_{j}"], "little")
            theirs_at = (ones & -ones).bit_length() - 1, ones.bit_count()
        else:
            theirs_at = 8 * next(numbers), 8 * next(numbers) if len(bits) else 0
        if theirs_at != (bits.start, len(bits)):
            yield f"{path} at bit {bits.start} of {len(bits)} bits, gcc {theirs_at[0]} of {theirs_at[1]}"


def _gcc(source: str, abi: Abi) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        without_32_bit_libc(Path(folder))
        command = ["gcc", make.FLAGS[abi.label], "-w", "-fsyntax-only", "-fmax-errors=0", *INCLUDES, "-x", "c", "-"]
        return subprocess.run(command, cwd=folder, input=source, capture_output=True, text=True, check=False)


def without_32_bit_libc(folder: Path) -> None:
    """Stand in for the one header that a 64-bit libc lacks for -m32; it only names missing functions."""
    (folder / "gnu").mkdir()
    (folder / "gnu/stubs-32.h").touch()


def main() -> int:
    """Print the figures; return 1 if a layout is wrong."""
    total = measure(installed(*sys.argv[1:2]))
    say = sys.stdout.write
    say(f"{total.structs} structs and unions: {total.laid_out} laid out, {total.refused.total()} refused\n")
    for abi in Abi:
        compared, unknown = total.compared[abi.label], total.not_for_gcc[abi.label]
        say(f"{abi.label}: {compared} compared with gcc, {unknown} that gcc does not compile with this header alone\n")
    say("".join(f"refused: {count:4}  {reason}\n" for reason, count in total.refused.most_common()))
    say("".join(f"WRONG {one}\n" for one in total.wrong))
    say(f"{len(total.wrong)} wrong\n")
    return 1 if total.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
