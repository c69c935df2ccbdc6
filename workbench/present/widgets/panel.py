"""Base of every widget of the notebooks: controls, the result for their values, and visible errors.

A panel computes in Python, so that a protocol can be typed in. When a control changes, the old result is dimmed at
once, and only the newest of several changes is computed. A result is a view (``present.web``) or a text; a saved
notebook, and every viewer without a kernel, shows it as it is in a page of its own.

An error hides the result of the previous setting. The line at the bottom is a Python expression for the same view.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping
from html import escape
from typing import Any

import ipywidgets as W  # noqa: N812  as every user of it writes
from IPython import get_ipython

from workbench.errors import WorkbenchError
from workbench.present.web import View

PRE = "margin:4px 0;font-family:monospace;font-size:12px;line-height:1.35;white-space:pre;overflow-x:auto"
ERROR = "padding:4px 8px;border-left:4px solid #8e2230;background:#fbeaea;color:#5c0f1a"
#: A result that is no longer that of the controls has this class.
WAITING = "pvw-waiting"
STYLE = f"<style>.{WAITING} {{ opacity: 0.35; }}</style>"
#: Seconds without a further change before a result is computed.
PATIENCE = 0.05


class Panel:
    """A panel of controls and their result. Subclasses make the controls and compute what is shown (``view``)."""

    controls: Mapping[str, Any]  #: argument of the class -> control with a ``value``

    def start(self, *rows: W.Widget) -> None:
        """Build the panel from rows of controls, observe the controls, and compute for the first time."""
        self.shown, self.error, self.source = W.Output(), W.HTML(), W.HTML()
        self.text, self.drawing = "", ""
        self.box = W.VBox([W.HTML(STYLE), *rows, self.error, self.shown, self.source])
        self._due: asyncio.TimerHandle | None = None
        for control in self.controls.values():
            control.observe(self.changed, names="value")
        self.compute()

    def view(self) -> View | str:
        """Return the result for the controls' values; any exception is shown in the panel."""
        raise NotImplementedError(f"{type(self).__name__}.view must be written")

    def changed(self, _change: Any = None) -> None:
        """Dim the result, and compute that of the controls' present values as soon as no further change is waiting."""
        self.shown.add_class(WAITING)
        loop = kernels_loop()
        if loop is None:  # nobody can make a further change
            self.compute()
            return
        if self._due is not None:
            self._due.cancel()
        self._due = loop.call_later(PATIENCE, self.compute)

    def compute(self) -> None:
        """Show the result for the controls' present values, or the error."""
        self._due = None
        self.source.value = _pre(f"copy as Python:  {self.as_python()}")
        try:
            view = self.view()
        except WorkbenchError as error:
            self._fail(str(error))
        except KeyboardInterrupt:
            self._fail("interrupted: nothing is known of this setting")
            raise
        except Exception as error:  # noqa: BLE001  an exception in a callback would appear in the kernel's log only
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._fail(f"{type(error).__name__}: {error} ({place.filename.rsplit('/', 1)[-1]}:{place.lineno})")
        else:
            self.error.value = ""
            self._show(str(view), view._repr_html_() if isinstance(view, View) else "")
        self.shown.remove_class(WAITING)

    def as_python(self) -> str:
        """Return a Python expression that gives the same view."""
        given = ", ".join(f"{name}={control.value!r}" for name, control in self.controls.items())
        return f"{type(self).__name__}({given})"

    def _show(self, text: str, drawing: str) -> None:
        self.text, self.drawing = text, drawing
        data = {"text/plain": text} | ({"text/html": drawing} if drawing else {})
        self.shown.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)

    def _fail(self, message: str) -> None:
        self.text, self.drawing = f"error: {message}", ""
        self.error.value = f"<div role='alert' style='{ERROR}'>{escape(message)}</div>"
        self.shown.outputs = ()

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_wanted: Any) -> dict[str, Any]:
        """Return the widget for a browser with a kernel, and the result for every other viewer."""
        bundle = dict(self.box._repr_mimebundle_() or {})
        bundle["text/plain"] = self.text
        if self.drawing:
            bundle["text/html"] = self.drawing
        return bundle


def kernels_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop in which a notebook's kernel hears of changes; None where there is no kernel."""
    shell = get_ipython()
    return asyncio.get_running_loop() if hasattr(shell, "kernel") else None


def _pre(text: str) -> str:
    return f"<pre style='{PRE}'>{escape(text)}</pre>"
