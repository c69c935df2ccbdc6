"""How the command line tells an error: one line; a long list of allowed names in columns below it."""

WIDTH = 80  #: of columns, where stderr is no terminal


def told(err):
    """Return (the first line, without its beginning; the names below it) of what a command says on stderr.

    Asserts that this is all, that it can be printed, and that the names are in columns that fit.
    """
    assert err.startswith("workbench: ")
    assert err.endswith("\n")
    first, *below = err[:-1].split("\n")
    assert all(line.isprintable() for line in (first, *below)), "it cannot command a terminal"
    if not below:
        return first.removeprefix("workbench: "), []
    lead, *rows = below
    assert lead in ("known:", "operations:", "it defines:", "keys:", "allowed:")
    more = rows.pop() if rows[-1].startswith("or path/to/") else ""
    names = [name for row in rows for name in row.strip().split("  ") if name.strip()]
    assert rows
    assert all(row.startswith("  ") and len(row) <= WIDTH for row in rows)
    assert len(first) + len(", ".join(names)) + len(more) > WIDTH - 20, "one line would do"
    return first.removeprefix("workbench: "), [name.strip() for name in names]
