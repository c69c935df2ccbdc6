"""A panel that shows one operation step by step: the list of steps, and the bytes of the area after each.

It is HTML, because that redraws fastest. All steps are computed before the first is shown, so moving the slider runs
nothing again. Bytes that the step has changed are marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import ipywidgets as W  # noqa: N812

from workbench.clayout.layout import Abi
from workbench.core.catalogue import ALL
from workbench.core.own_files import EXAMPLE
from workbench.errors import WorkbenchError, unknown
from workbench.features import FEATURES, choose_one
from workbench.present.text.memory import field_rows
from workbench.present.trial import Account, Trial, answer_text
from workbench.present.widgets.choosers import dropdown, typed
from workbench.present.widgets.panel import Panel, View
from workbench.protocols import PROTOCOLS

AREA = 0x1000
OPERATIONS = ("register", "update", "read", "revoke")
SIDE_COLOUR = {"guest": "#0072b2", "kernel": "#d55e00", "user": "#009e73"}
NOW, CHANGED = "background:#fff3c4", "background:#f4b97a"
CELL = "padding:1px 8px;text-align:left;vertical-align:top;line-height:1.35;font-family:monospace;font-size:12px"


def account_of(protocol: str, feature: str, operation: str) -> Account:
    """Return the steps of an operation on an area at 0x1000, registered before unless the operation is ``register``."""
    if operation not in OPERATIONS:
        raise WorkbenchError(unknown("operation", operation, OPERATIONS))
    named = choose_one(feature)
    trial = Trial(protocol, [ALL, named], watch=(AREA, named.size))
    trial.prepare(named.name, AREA)
    registered = trial.register(named.name, AREA)
    if operation == "register":
        return registered
    actions = {"update": trial.update, "read": trial.read, "revoke": trial.unregister}
    return actions[operation](named.name, AREA)


class StepsPanel(Panel):
    """The steps of ``operation`` under ``protocol``, with ``step`` marked; 0 is before the first step."""

    text_in_panel = False

    def __init__(
        self, protocol: str = "generic", feature: str = "kvmclock", operation: str = "register", step: int = 0
    ) -> None:
        self._shown: tuple[str, str, str] = (protocol, feature, operation)
        self._account = account_of(*self._shown)
        last = len(self._account.steps)
        style = {"description_width": "70px"}
        self.controls = {
            "protocol": typed("Protocol", list(PROTOCOLS), protocol, f"a name, or {EXAMPLE}"),
            "feature": typed("Feature", list(FEATURES), feature, f"a name, or {EXAMPLE}"),
            "operation": dropdown("Operation", list(OPERATIONS), operation),
            "step": W.IntSlider(
                min(step, last), 0, last, description="Step", style=style, layout={"width": "460px"}
            ),
        }  # fmt: skip
        who, what, how, when = self.controls.values()
        self.start(W.HBox([who, what]), how, when)

    def view(self) -> View:
        """Return the list of steps with the current one marked, and the area's fields after it."""
        asked = {name: control.value for name, control in self.controls.items()}
        wanted = (asked["protocol"], asked["feature"], asked["operation"])
        if wanted != self._shown:
            self._account = account_of(*wanted)
            self._shown = wanted
            self.controls["step"].max = len(self._account.steps)
        step = min(asked["step"], len(self._account.steps))
        return View(repr(self._account), html=_drawing(self._account, asked["feature"], step))


def _drawing(account: Account, feature: str, step: int) -> str:
    """Return the fields, and below them the steps: what changes is near the slider, and nothing moves."""
    steps = [_step_row(account, index, index == step - 1) for index in range(len(account.steps))]
    return f"<div data-step='{step}'>{_table(_field_rows(account, feature, step))}{_table(steps)}</div>"


def _step_row(account: Account, index: int, is_now: bool) -> str:
    taken = account.steps[index]
    side = taken.side.name.lower()
    answer = answer_text(taken)
    text = escape(account.lines[index]) + (f" &rarr; {escape(answer)}" if answer else "")
    who = f"<b style='color:{SIDE_COLOUR[side]}'>{side}</b>"
    return _row([str(index + 1), who, text], NOW if is_now else "")


def _field_rows(account: Account, feature: str, step: int) -> list[str]:
    """Return the rows of the area after ``step`` steps, with the rows that this step changed marked."""
    named = choose_one(feature)
    layout = named.payload.on(Abi.X86_64)
    empty = bytes(layout.size)
    states = [account.before, *(taken.watched for taken in account.steps)]
    now, before = (states[at] or empty for at in (step, max(step - 1, 0)))
    rows = [_row(["<b>offset</b>", "<b>bytes in memory</b>", "<b>field</b>", "<b>value</b>"])]
    for cells, earlier in zip(field_rows(layout, now), field_rows(layout, before), strict=True):
        rows.append(_row([escape(str(cell)) for cell in cells], CHANGED if cells != earlier else ""))
    return rows


def _row(cells: Sequence[str], style: str = "") -> str:
    inside = "".join(f"<td style='{CELL}'>{cell}</td>" for cell in cells)
    return f"<tr style='{style}'>{inside}</tr>"


def _table(rows: Sequence[str]) -> str:
    return f"<table style='margin:0 0 10px 0;border-collapse:collapse'>{''.join(rows)}</table>"
