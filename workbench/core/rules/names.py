"""Names of features, told from those that no feature has."""

import difflib

#: The names of all features that are loaded: those that ship, and those from files. ``Feature`` adds them.
FEATURE_NAMES: set[str] = set()


def no_feature(name: str) -> str | None:
    """Return what to write instead of ``name``; None if a feature has this name, or if no feature is loaded."""
    if not FEATURE_NAMES or name in FEATURE_NAMES:
        return None
    close = difflib.get_close_matches(name, sorted(FEATURE_NAMES), 1, 0.5)
    return f"write {close[0]!r}" if close else f"features are {', '.join(sorted(FEATURE_NAMES))}"
