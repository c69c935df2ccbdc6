"""All that can be said of a protocol class before it runs, in one call."""

from collections.abc import Iterator
from functools import lru_cache

from workbench.core.rules import declared, source
from workbench.core.rules.place import is_authors
from workbench.core.rules.text import module_file
from workbench.errors import AuthorError


def own_classes(kind: type) -> Iterator[type]:
    """Yield ``kind`` and the classes that it derives from, as far as they are an author's and not the package's."""
    for one in kind.__mro__[:-2]:
        file = module_file(one)
        if file and is_authors(file):
            yield one


@lru_cache(maxsize=1024)
def complaints(kind: type) -> tuple[str, ...]:
    """Return all that is wrong with what a protocol class declares and with its text; () for one of the package."""
    own = tuple(own_classes(kind))
    if not own:
        return ()
    found = [*declared.complaints(kind)]
    for one in own:
        found += source.complaints(kind, one)
    return tuple(dict.fromkeys(found))


def check_text(kind: type) -> None:
    """Raise AuthorError with the first thing that is wrong with the text of a feature's or an event's class."""
    for one in own_classes(kind):
        for text in source.complaints(kind, one):
            raise AuthorError(text)


def check_class(kind: type) -> None:
    """Raise AuthorError with the first thing that is wrong with a protocol class of an author's."""
    found = complaints(kind)
    if found:
        more = f" (and {len(found) - 1} more: workbench check)" if len(found) > 1 else ""
        raise AuthorError(found[0] + more)
