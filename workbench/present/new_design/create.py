"""Writes the two files of a new design; neither is written if one of them is there already."""

import json
import keyword
import re
from pathlib import Path
from string import Template
from typing import Any

from workbench.errors import WorkbenchError, unknown
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.present.new_design import common
from workbench.present.new_design.notebook import notebook
from workbench.present.new_design.styles import STYLES as _STYLES
from workbench.present.new_design.styles import Style
from workbench.protocols import PROTOCOLS

STYLES = tuple(_STYLES)
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST = 64  # as that of all names (core/catalogue.py)
_ALWAYS = "ACCEPTED REFUSED VM Backed Get Protocol Set StateEntry area pending registry"
_OF_A_FEATURE = "Abi Feature Load Store U64 seqlock struct"


def create(name: str, style: str, folder: Path, *, feature: bool = False) -> list[Path]:
    """Write ``name.py`` and ``name.ipynb`` into ``folder`` and return their paths.

    ``feature``: the file also defines a feature of its own. Raises WorkbenchError for a name that is none, a style that
    is not known, a folder that is not there, and a file that is there already.
    """
    _check(name)
    if style not in _STYLES:
        raise unknown("style", style, STYLES)
    if not folder.is_dir():
        raise WorkbenchError(f"folder {str(folder)!r} does not exist")
    shown = json.dumps(notebook(name, feature=feature), indent=1, ensure_ascii=False) + "\n"
    contents = {folder / f"{name}.py": text(name, style, feature=feature), folder / f"{name}.ipynb": shown}
    for path in contents:
        if path.exists() or path.is_symlink():
            raise WorkbenchError(f"{str(path)!r} is there already, and nothing is overwritten; choose another name")
    written: list[Path] = []
    for path, content in contents.items():
        try:
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(content)
        except OSError as error:
            for own in written:
                own.unlink(missing_ok=True)
            raise WorkbenchError(f"{str(path)!r} cannot be written: {error.strerror}") from None
    return written


def _check(name: str) -> None:
    shipped = {**PROTOCOLS, **FEATURES, **EVENTS}
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(name):
        raise WorkbenchError(f"{name!r} is no name for a design; small letters, digits and _ are allowed: my_call")
    if name in shipped:
        raise WorkbenchError(f"{name!r} is the name of one that ships; choose another")


def class_name(name: str) -> str:
    """Return the class of a design: MyCall for my_call."""
    return "".join(part.capitalize() for part in name.split("_"))


def text(name: str, style: str, *, feature: bool = False) -> str:
    """Return the file of a new design."""
    own: Style = _STYLES[style]
    names = {*_ALWAYS.split(), *own.imports.split(), *(_OF_A_FEATURE.split() if feature else ())}
    words: dict[str, Any] = {
        **own._asdict(),
        "name": name,
        "Class": class_name(name),
        "own_type": f', "{name}_area"' if feature else "",
        "own_feature": _filled(common.FEATURE, {"name": name, "Class": class_name(name)}) if feature else "",
        "imports": _imports(names),
        "restore": own.restore or common.RESTORE_TYPE,
    }
    parts = (common.OPENING, own.guest, common.REVOKE, own.host, common.HOST)
    filled = "".join(_filled(part, words) for part in parts)
    while "\n\n\n\n" in filled:
        filled = filled.replace("\n\n\n\n", "\n\n\n")
    return filled


def _filled(part: str, words: dict[str, Any]) -> str:
    # $name_area: the name is followed by letters, so that a longer word would be looked up.
    return Template(part.replace("$name_area", "${name}_area").replace("$ClassArea", "${Class}Area")).substitute(words)


def _imports(names: set[str]) -> str:
    """Return names in the order of ruff's isort, each in a line of its own: constants, classes, the rest."""
    ordered = sorted(names, key=lambda one: (not one.isupper(), not one[0].isupper(), one))
    return "\n".join(f"    {one}," for one in ordered)
