"""Operations on guest memory and its memslots."""

from collections.abc import Mapping
from typing import Any

from workbench.core.outcome import FAULT, HANDLED
from workbench.core.replay_target import Target
from workbench.replay import values
from workbench.replay.form import GPA, Field, Form


def _load(target: Target, gpa: int, size: int) -> Mapping[str, Any]:
    data = target.load(gpa, size)
    return {"outcome": FAULT} if data is None else {"outcome": HANDLED, "hex": data.hex()}


FORMS: Mapping[str, Form] = {
    "ram": Form(
        {"gpa": GPA, "size": Field(values.u64), "readonly": Field(values.boolean, False)},
        lambda target, gpa, size, readonly: target.add_ram(gpa, size, readonly),
        follow=lambda layout, arguments: layout.add(arguments["gpa"], arguments["size"]),
    ),
    "unplug": Form(
        {"gpa": GPA},
        lambda target, gpa: target.delete_ram(gpa),
        follow=lambda layout, arguments: layout.memory.delete(arguments["gpa"]),
    ),
    "protect": Form(
        {"gpa": GPA, "readonly": Field(values.boolean, True)},
        lambda target, gpa, readonly: target.protect_ram(gpa, readonly),
        follow=lambda layout, arguments: layout.memory.set_readonly(**arguments),
    ),
    "move_ram": Form(
        {"gpa": GPA},
        lambda target, gpa: target.move_ram(gpa),
        follow=lambda layout, arguments: layout.memory.give_other_pages(arguments["gpa"]),
    ),
    "store": Form(
        {"gpa": GPA, "hex": Field(values.data)},
        lambda target, gpa, hex: {"outcome": target.store(gpa, hex)},
        ("outcome",),
    ),
    "load": Form({"gpa": GPA, "size": Field(values.byte_count)}, _load, ("outcome", "hex", "not_hex")),
}
