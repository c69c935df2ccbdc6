"""Base of every widget of the notebooks: controls, a picture of fixed size, text, and visible errors.

For each setting of the controls, ``text`` is the result as plain text, and ``picture`` (PNG) or ``drawing`` (HTML)
shows the same graphically. Without a browser the panel shows those; with one, the widget.
An error in a callback is shown in the panel and hides the result of the previous setting.
The line at the bottom is a Python expression that gives the same view.

State sent to the browser: the controls' values, one PNG or HTML string, the text, the error.
"""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

import ipywidgets as W  # noqa: N812  as every user of it writes

from workbench.errors import WorkbenchError

PRE = "margin:4px 0;font-family:monospace;font-size:12px;line-height:1.35;white-space:pre;overflow-x:auto"
ERROR = "padding:4px 8px;border-left:4px solid #8e2230;background:#fbeaea;color:#5c0f1a"


class View(NamedTuple):
    """What a panel shows: the result as text, and optionally as a picture or a drawing."""

    text: str
    png: bytes | None = None
    html: str | None = None


class Panel:
    """A panel of controls and their result. Subclasses make the controls and compute what is shown (``view``)."""

    controls: Mapping[str, Any]  #: argument of the class -> control with a ``value``
    size: tuple[int, int] = (700, 300)  #: of the picture, in pixels
    text_in_panel = True

    def start(self, *rows: W.Widget) -> None:
        """Build the panel from rows of controls, observe the controls, and draw for the first time."""
        self.image = W.Image(format="png", width=self.size[0], height=self.size[1])
        self.image.layout.display, self.image.layout.align_self = "none", "flex-start"
        self.html, self.pre, self.error, self.source = (W.HTML() for _ in range(4))
        self.text, self.picture, self.drawing = "", b"", ""
        self.box = W.VBox([*rows, self.error, self.image, self.html, self.pre, self.source])
        for control in self.controls.values():
            control.observe(self.changed, names="value")
        self.changed()

    def view(self) -> View:
        """Return the result for the controls' values; any exception is shown in the panel."""
        raise NotImplementedError(f"{type(self).__name__}.view must be written")

    def changed(self, _change: Any = None) -> None:
        """Show the result for the controls' present values, or the error."""
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
            self._show(view)

    def as_python(self) -> str:
        """Return a Python expression that gives the same view."""
        given = ", ".join(f"{name}={control.value!r}" for name, control in self.controls.items())
        return f"{type(self).__name__}({given})"

    def _show(self, view: View) -> None:
        self.error.value = ""
        self.text, self.picture, self.drawing = view.text, view.png or b"", view.html or ""
        if view.png is not None:
            self.image.value = view.png
            self.image.layout.display = ""
        self.image.layout.visibility = "visible"
        self.html.value = self.drawing
        self.pre.value = _pre(view.text) if self.text_in_panel else ""

    def _fail(self, message: str) -> None:
        self.text, self.picture, self.drawing = f"error: {message}", b"", ""
        self.error.value = f"<div role='alert' style='{ERROR}'>{escape(message)}</div>"
        # Hidden, not removed, so that what is below does not move.
        self.image.layout.visibility = "hidden"
        self.html.value = self.pre.value = ""

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_wanted: Any) -> dict[str, Any]:
        """Return the widget for a browser with a kernel, and the result for every other viewer."""
        bundle = dict(self.box._repr_mimebundle_() or {})
        bundle["text/plain"] = self.text
        if self.picture:
            bundle["image/png"] = b64encode(self.picture).decode("ascii")
        if self.drawing:
            bundle["text/html"] = self.drawing
        return bundle


def _pre(text: str) -> str:
    return f"<pre style='{PRE}'>{escape(text)}</pre>"
