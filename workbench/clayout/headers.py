"""Where the headers are that a header includes.

Rule: a file in a tree of headers that is installed for programs (/usr/include, include/uapi of a kernel) is read as a
compiler reads it. A kernel's own include/ is no such tree, because its structs depend on a configuration.

Source: gcc manual, "Search Path"; Debian's multiarch directory; arch/x86/include/uapi/asm/Kbuild of Linux for the
headers of asm/ that are those of asm-generic/.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.reading import read_text

_MULTIARCH = "*-linux-gnu"
_OF_CONFIGURED_KERNEL = Path("linux/kconfig.h")
_ARCH = Path("arch/x86/include/uapi")


class HeaderFiles:
    """Finds headers below ``roots``; calling it is what `workbench.clayout.preprocess.Headers` says."""

    def __init__(self, roots: Sequence[Path], file: Path | None = None) -> None:
        self._roots = [*roots, *(found for root in roots for found in sorted(root.glob(_MULTIARCH)))]
        self._paths = {"": file} if file is not None else {}
        self._texts: dict[Path, str] = {}

    def __call__(self, name: str, near: str | None = None) -> tuple[str, str] | None:
        """The name for messages and the text of a header; ``near`` is the header that includes it in quotes."""
        beside = self._paths.get(near or "") if near is not None else None
        tried = [beside.parent / name] if beside is not None else []
        tried += [root / name for root in self._roots]
        if name.startswith("asm/"):
            tried += [root / name.replace("asm/", "asm-generic/", 1) for root in self._roots]
        path = next((one for one in tried if one.is_file()), None)
        if path is None:
            return None
        self._paths[name] = path
        if path not in self._texts:
            self._texts[path] = read_text(path, "header")
        return name, self._texts[path]


def headers_of(file: Path, given: Sequence[Path] = ()) -> HeaderFiles | None:
    """The headers that C text in ``file`` may include: those below the ``given`` folders, or its own tree.

    None if there is no such tree; the text then counts as a paste. Raises WorkbenchError if a given folder is none.
    """
    for folder in given:
        if not folder.is_dir():
            raise WorkbenchError(f"folder of headers {str(folder)!r} is not there")
    return HeaderFiles(list(given) or roots, file) if (roots := _tree_of(file)) or given else None


def _tree_of(file: Path) -> list[Path]:
    """The folders above a file from which its headers are included."""
    roots = []
    for folder in file.resolve().parents:
        if folder.name == "uapi":
            roots.append(folder)
            roots += [kernel / _ARCH for kernel in folder.parents[1:4] if (kernel / _ARCH).is_dir()]
            roots += [kernel / "include/uapi" for kernel in folder.parents[1:4] if (kernel / "include/uapi").is_dir()]
        elif folder.name == "include" and not (folder / _OF_CONFIGURED_KERNEL).exists():
            roots.append(folder)
    return list(dict.fromkeys(roots))
