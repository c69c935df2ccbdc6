"""Text that shows what it holds: what would move the cursor, hide or reorder other text is written as an escape."""


from collections.abc import Sequence


def printable(text: str) -> str:
    """Return ``text`` with escapes for line ends, control characters, format characters (bidi) and lone surrogates."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def ascii_only(text: str) -> str:
    """Return ``text`` as :func:`printable` does, with escapes for everything that is not ASCII too."""
    return printable(text).encode("ascii", "backslashreplace").decode("ascii")


def in_columns(names: Sequence[str], width: int) -> list[str]:
    """Return names in as many columns as fit into lines of ``width``, to be read downwards, each line indented by 2."""
    for count in range(min(len(names), width // 3), 1, -1):
        rows = -(-len(names) // count)
        columns = [names[start : start + rows] for start in range(0, len(names), rows)]
        wide = [max(map(len, column)) for column in columns]
        if sum(wide) + 2 * len(wide) <= width:
            cells = [[name.ljust(most) for name in column] for column, most in zip(columns, wide, strict=True)]
            lines = ([column[row] for column in cells if row < len(column)] for row in range(rows))
            return [f"  {'  '.join(line)}".rstrip() for line in lines]
    return [f"  {name}" for name in names]
