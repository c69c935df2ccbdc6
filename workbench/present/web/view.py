"""A view: data that a small script draws, the same content as text, and both together as HTML.

The script is part of the HTML and finds its data beside itself. So a view needs no kernel, no network and no installed
extension, and a saved notebook shows it as the live one does. Where no script runs, the text is shown.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from workbench.present.web.style_sheet import asset, style

#: For each kind of view: the function that draws it, and the scripts that it needs.
KINDS = {
    "stepper": ("stepper", ("stepper.js",)),
    "pair": ("pair", ("stepper.js",)),
    "map": ("failureMap", ("stepper.js", "map.js")),
    "compare": ("comparison", ("compare.js",)),
    "words": ("words", ("words.js",)),
}
MOUNT_ALL = '\ndocument.querySelectorAll(".pvw").forEach(mount);\n'


@dataclass(frozen=True)
class View:
    """What is drawn: ``kind`` names the script's function, ``data`` is drawn, ``text`` is for where no script runs."""

    kind: str
    data: Any
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """Return the view with all that it needs; it mounts itself."""
        own = f"(() => {{\n{script(self.kind)}\nmount(document.currentScript.closest('.pvw'));\n}})();"
        return self.markup(f"<style>{style()}</style>", f"<script>{own}</script>")

    def markup(self, before: str = "", after: str = "", data: Any = None) -> str:
        """Return the element in which the view is mounted: its data (or other data in its place) and its text."""
        told = as_json(self.data if data is None else data)
        data = f'<script type="application/json" class="pvw-data">{told}</script>'
        text = f'<pre class="pvw-text">{escape(self.text)}</pre>'
        return f'<div class="pvw" data-pvw="{escape(self.kind)}">{before}{data}{text}{after}</div>'


def page(title: str, views: Sequence[View], *, above: str = "", below: str = "") -> str:
    """Return a file of its own for some views: it asks for nothing, and its policy lets nothing else in.

    ``above``, ``below``: HTML around the views; they are at #view1, #view2 and so on.
    """
    alone = len(views) == 1  # then the view's settings are part of the page's address
    drawn = "\n".join(
        f'<section id="view{number}">{view.markup(data={**view.data, "page": alone})}</section>'
        for number, view in enumerate(views, start=1)
    )
    body = f"<main>\n<h1>{escape(title)}</h1>\n{above}\n{drawn}\n{below}\n</main>"
    return document(title, style() + asset("page.css"), body, script(*(view.kind for view in views)) + MOUNT_ALL)


def document(title: str, css: str, body: str, code: str) -> str:
    """Return a file of its own with a style sheet and a script inside, and a policy that lets nothing else in."""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {_hash(code)}; img-src data: blob:"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{css}</style>
</head>
<body>
{body}
<script>{code}</script>
</body>
</html>
"""


def as_json(data: Any) -> str:
    """Return data as JSON that may stand in HTML: no text in it can end the element or begin another."""
    told = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return told.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def script(*kinds: str) -> str:
    """Return what draws views of these kinds, as one script; a function's body can hold it."""
    chosen = sorted(set(kinds))
    names = dict.fromkeys(name for kind in chosen for name in KINDS[kind][1])
    views = ", ".join(f"{kind}: {KINDS[kind][0]}" for kind in chosen)
    return "\n".join(['"use strict";', *map(asset, ("dom.js", "picture.js", *names)), f"const VIEWS = {{ {views} }};"])


def _hash(code: str) -> str:
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


__all__ = ["View", "as_json", "document", "page"]
