"""Text that shows what it holds: what would move the cursor, hide or reorder other text is written as an escape."""


def printable(text: str) -> str:
    """Return ``text`` with escapes for line ends, control characters, format characters (bidi) and lone surrogates."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def ascii_only(text: str) -> str:
    """Return ``text`` as :func:`printable` does, with escapes for everything that is not ASCII too."""
    return printable(text).encode("ascii", "backslashreplace").decode("ascii")
