"""A made-up failure that is always found: the host serves an area."""

from workbench.checking.failures.failure import Failure

SOMETHING_IS_SERVED = Failure(
    "F90",
    "something-is-served",
    "always",
    lambda facts: all(facts.live(place) is None for place in facts.places()),
    what="The host serves an area.",
    why="It is not a real failure; it exists so that a test finds one in every protocol that registers.",
    example="A guest boots.",
    seen="everywhere",
    premise=lambda facts: True,
)
