"""The HTML that a visitor of the app sees: the start page, and one page with a form for each question."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from workbench.present.app.questions import CHOSEN, NAMED, NUMBER, QUESTIONS, SWITCH, TICKED, Field, Question
from workbench.present.notebooks.notebooks import title_of, without_code
from workbench.present.web.style_sheet import asset as view_asset

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'"

#: A notebook's views are scripts inside the page; nothing is asked of anybody else.
POLICY_OF_NOTEBOOKS = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
)


def start(notebooks: Sequence[tuple[str, str]]) -> str:
    """Return the start page; ``notebooks``: (address, title) of what can be read."""
    asked = "".join(
        f'<li><a href="{one.name}">{escape(one.title)}</a><br>{escape(one.what)}</li>\n' for one in QUESTIONS.values()
    )
    listed = "".join(f'<li><a href="{escape(quote(where))}">{escape(title)}</a></li>\n' for where, title in notebooks)
    read = f"<h2>Read</h2>\n<ul>{listed}</ul>" if listed else ""
    return _page(
        "Paravirtual registration",
        f"""<h2>Ask</h2>
<ul class="app-list">
{asked}</ul>
{read}
<h2>A design of your own</h2>
<p>Wherever a protocol, a feature or an event is named, the path of a file can be typed:
<code>path/to/file.py:Class</code>, from <code>{escape(str(Path.cwd()))}</code>.
<code>workbench new NAME</code> writes one to begin with. Such a file is a program:
it is executed with the rights of whoever started this app.</p>""",
    )


def asking(question: Question) -> str:
    """Return the page of a question: its form, and where the answer will be."""
    fields, name = "\n".join(map(_field, question.fields)), question.name
    return _page(
        question.title,
        f"""<p>{escape(question.what)}</p>
<form id="ask" data-question="{name}" data-at-once="{str(question.at_once).lower()}">
{fields}
<div class="app-bar"><button>Show</button><button type="button" id="cancel" hidden>Cancel</button>
<button type="reset">Reset</button><span id="told" role="status"></span></div>
</form>
<noscript><p>This page needs scripts. Without: <code>workbench page {name} --help</code></p></noscript>
<p id="wrong" role="alert" hidden></p>
<div id="answer" hidden>
<p class="app-bar"><code id="command"></code> <button type="button" id="copy">copy command line</button>
<a id="open" target="_blank" rel="noopener">open by itself</a>
<a id="save" download="{name}.html">save as a file</a></p>
<iframe id="frame" title="{escape(question.title)}: the answer"></iframe>
</div>
<script src="app.js"></script>""",
        name,
    )


def reading(path: Path) -> str:
    """Return a notebook as a page: its texts and saved outputs, without the code."""
    named, body = without_code(path)
    return _page(named, f'<div class="app-read">{body}</div>', here="read", above="../", heading="")


@cache
def asset(name: str) -> str:
    """Return the app's script, or its style sheet, which begins with that of pages with views."""
    own = (files(__package__) / "assets" / name).read_text(encoding="utf-8")
    return view_asset("page.css") + own if name.endswith(".css") else own


def _page(title: str, body: str, here: str = "", above: str = "", heading: str | None = None) -> str:
    links = [("./", "Start", ""), *((one.name, one.title, one.name) for one in QUESTIONS.values())]
    places = "".join(
        f'<a href="{above}{where}"{" aria-current=page" if name == here else ""}>{escape(said)}</a>\n'
        for where, said, name in links
    )
    begins = f"<h1>{escape(title)}</h1>" if heading is None else heading
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="stylesheet" href="{above}app.css">
</head>
<body>
<main>
<nav aria-label="Questions">{places}</nav>
{begins}
{body}
</main>
</body>
</html>
"""


def _field(field: Field) -> str:
    name, label, hint = field.name, escape(field.label), escape(field.hint)
    begins = escape(",".join(field.begins))
    if field.kind == TICKED:
        others = f'<input name="{name}" placeholder="{hint}" aria-label="{label}: others">'
        return f"<fieldset><legend>{label}</legend>{_ticks(field)}{others}</fieldset>"
    if field.kind == SWITCH:
        return f'<label><input type="checkbox" name="{name}" value="yes"> {label}</label>'
    if field.kind == CHOSEN:
        return f'<label>{label} <select name="{name}">{_options(field)}</select></label>'
    if field.kind == NUMBER:
        return f'<label>{label} <input type="number" min="1" name="{name}" placeholder="{hint}"></label>'
    offered = f'<datalist id="{name}-names">{_options(field)}</datalist>' if field.kind == NAMED else ""
    listed = f' list="{name}-names"' if offered else ""
    return f'<label>{label} <input name="{name}" value="{begins}" placeholder="{hint}"{listed}></label>{offered}'


def _ticks(field: Field) -> str:
    lines = []
    for one in map(escape, field.offered):
        ticked = " checked" if one in field.begins else ""
        lines.append(f'<label><input type="checkbox" name="{field.name}" value="{one}"{ticked}> {one}</label>\n')
    return "".join(lines)


def _options(field: Field) -> str:
    chosen = field.begins if field.kind == CHOSEN else ()
    return "".join(f"<option{' selected' if one in chosen else ''}>{escape(one)}</option>" for one in field.offered)


__all__ = ["POLICY", "POLICY_OF_NOTEBOOKS", "asking", "asset", "reading", "start", "title_of"]
