"""What a protocol class declares: names, claims and their types, and methods that can be called as they will be.

The base class of the contract is asked, not imported: the last class before ``object`` of a protocol.
"""

import ast
import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from workbench.clayout.layout import Struct
from workbench.core.rules.place import of_code, shown
from workbench.core.rules.text import class_node, methods_of, module_file, module_tree
from workbench.core.rules.wording import value_said


class Kind(NamedTuple):
    """What an attribute must be: a test and words, the second with what to write."""

    accepts: Callable[[Any], bool]
    words: str


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _numbers(value: Any) -> bool:
    return isinstance(value, frozenset) and all(isinstance(one, int) and not isinstance(one, bool) for one in value)


def _number_or_numbers(value: Any) -> bool:
    return all(type(one) is int for one in (value if isinstance(value, tuple) else (value,)))


def _ranges(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(one).__name__ == "IoRange" for one in value)


def _texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_text(key) and _text(said) for key, said in value.items())


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


#: By attribute of ``core.contracts.Protocol``: a new attribute of the contract is one line here.
ATTRIBUTES: Mapping[str, Kind] = {
    "name": Kind(_text, 'a text without blanks, for tables and the command line; write name = "my_design"'),
    "title": Kind(_text, 'a few words for tables; write title = "one register for each area"'),
    "source": Kind(lambda value: isinstance(value, str) and "\n" not in value, "one line"),
    "own_features": Kind(
        lambda value: isinstance(value, tuple) and all(map(_text, value)), 'a tuple of names; write ("vpa", "dtl")'
    ),
    "descriptor": Kind(lambda value: value is None or isinstance(value, Struct), "what struct(...) returns"),
    "address_field": Kind(lambda value: isinstance(value, str), "the name of a field of descriptor"),
    "msrs": Kind(_numbers, "a frozenset of register numbers; write msrs = frozenset({MSR})"),
    "hypercalls": Kind(_numbers, "a frozenset of hypercall numbers; write hypercalls = frozenset({CALL})"),
    "mmio": Kind(_ranges, "a tuple of IoRange; write mmio = (IoRange(0xfe000000, 8),)"),
    "ports": Kind(_ranges, "a tuple of IoRange; write ports = (IoRange(0x510, 8),)"),
    "host_memory": Kind(lambda value: type(value) is int and value >= 0, "a number of bytes"),
    "places_areas": Kind(_boolean, "True or False"),
    "batch": Kind(lambda value: value in ("none", "vcpu", "vm"), '"none", "vcpu" or "vm"'),
    "for_others": Kind(_boolean, "True or False"),
    "call_instruction": Kind(_text, 'the name of an instruction, for example "VMCALL"'),
    "unknown_hypercall": Kind(_number_or_numbers, "a number, or a tuple of numbers; write unknown_hypercall = (-2, 0)"),
    "native": Kind(lambda value: isinstance(value, Mapping), "a dict from feature names to KVM's registers"),
    "deflected": Kind(_numbers, "a frozenset of those of msrs that KVM leaves to this class"),
    "mitigations_known": Kind(
        _texts, 'a dict from names to what they change; write mitigations_known = {"copy-once": "the host ..."}'
    ),
    "readings_known": Kind(
        _texts, 'a dict from names to what they mean; write readings_known = {"refuse-second": "a second ..."}'
    ),
}

#: What a claim needs: the handlers of which at least one must be written.
_SERVED_BY: Mapping[str, tuple[str, ...]] = {
    "msrs": ("on_wrmsr", "on_rdmsr"),
    "hypercalls": ("on_hypercall",),
    "mmio": ("on_mmio_write", "on_mmio_read"),
    "ports": ("on_pio_write", "on_pio_read"),
}


def complaints(kind: type) -> Iterator[str]:
    """Yield what is wrong with the declarations of a protocol class, each with its place and what to write."""
    base = kind.__mro__[-2]
    yield from _attributes(kind)
    yield from _claims(kind, base)
    yield from _signatures(kind, base)
    yield from _misspelt(kind, base)


def at_class(kind: type, attribute: str | None = None) -> str:
    """Return ``file:line: Class`` of a class, or of the statement that sets an attribute of it."""
    for one in kind.__mro__[:-2]:
        node = class_node(one)
        if node is None:
            continue
        lines = [own.lineno for own in node.body if attribute in _targets(own)]
        if attribute is None or lines or one is kind.__mro__[-3]:
            own_line = lines[-1] if lines else class_node(kind).lineno  # type: ignore[union-attr]
            return f"{shown(module_file(one if lines else kind), own_line)}: {kind.__name__}"
    return f"class {kind.__name__}"


def _targets(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {one.id for one in targets if isinstance(one, ast.Name)}


def _attributes(kind: type) -> Iterator[str]:
    for name, rule in ATTRIBUTES.items():
        missing = not hasattr(kind, name) or (name == "title" and not kind.title)  # type: ignore[attr-defined]
        if missing:
            yield f"{at_class(kind)}: has no {name}: {rule.words}"
        elif not rule.accepts(value := getattr(kind, name)) and (name != "deflected" or value is not kind.msrs):  # type: ignore[attr-defined]
            yield f"{at_class(kind, name)}: {name} is {value_said(value)}; it must be {rule.words}"


def _claims(kind: Any, base: Any) -> Iterator[str]:
    if not _overrides(kind, base, "register"):
        yield f"{at_class(kind)}: has no register, the guest's side; write def register(self, cpu, feature, gpa)" + (
            _perhaps(kind, base, "register")
        )
    for claim, handlers in _SERVED_BY.items():
        claimed = getattr(kind, claim)
        written = [name for name in handlers if _overrides(kind, base, name)]
        if not ATTRIBUTES[claim].accepts(claimed):
            continue
        if claimed and not written:
            first = handlers[0]
            wanted = _as_text(getattr(base, first))
            yield f"{at_class(kind, claim)}: claims {claim} and has no {first}; write {wanted}" + (
                _perhaps(kind, base, first)
            )
        elif written and not claimed and _yields_something(kind, written[0]):
            where = of_code(inspect.unwrap(getattr(kind, written[0])).__code__)
            yield f"{where}: is never called, because {claim} is empty; write {_words_of(claim)}"
    if _numbers(kind.deflected) and _numbers(kind.msrs) and not kind.deflected <= kind.msrs:
        yield f"{at_class(kind, 'deflected')}: deflected has registers that msrs does not claim; add them to msrs"


def _yields_something(kind: type, name: str) -> bool:
    """Tell whether a handler does anything: one without steps that answers UNKNOWN claims nothing on purpose."""
    names = inspect.unwrap(getattr(kind, name)).__code__.co_names
    return "UNKNOWN" not in names or len(names) > 1


def _words_of(claim: str) -> str:
    return ATTRIBUTES[claim].words.rpartition("write ")[2]


def _overrides(kind: type, base: type, name: str) -> bool:
    return getattr(kind, name, None) is not getattr(base, name, None)


def _perhaps(kind: type, base: type, name: str) -> str:
    """Name a method of the class that may have been meant."""
    own = [key for key in vars(kind) if not hasattr(base, key) and not key.startswith("__")]
    close = difflib.get_close_matches(name, own, 1, 0.7)
    return f"; perhaps {close[0]} was meant" if close else ""


def _signatures(kind: type, base: type) -> Iterator[str]:
    """Every method must take the arguments with which the workbench calls it."""
    for name, method in vars(base).items():
        if not isinstance(method, FunctionType) or (name.startswith("_") and name != "__init__"):
            continue
        own = inspect.unwrap(getattr(kind, name))
        if own is method:
            continue
        wanted = inspect.signature(method)
        if not isinstance(own, FunctionType):
            what = {property: "a property", MethodType: "a classmethod"}.get(type(own)) or value_said(own)
            yield f"{_at_method(kind, name)}: {name} is {what}; it must be a method: {_as_text(method)}"
            continue
        positional = [one.name for one in wanted.parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
        keywords = {one.name: None for one in wanted.parameters.values() if one.kind is one.KEYWORD_ONLY}
        try:
            inspect.signature(own).bind(*positional, **keywords)
        except TypeError as error:
            yield f"{of_code(own.__code__)}: is called with other arguments ({error}); write {_as_text(method)}"


def _at_method(kind: type, name: str) -> str:
    """Return the place of what a class has under the name of a method, a property for example."""
    function = methods_of(kind).get(name)
    return at_class(kind, name) if function is None else of_code(function.__code__)


def _as_text(method: FunctionType) -> str:
    """Return the first line of a method of the contract, without annotations."""
    wanted = inspect.signature(method)
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in wanted.parameters.values()]
    return f"def {method.__name__}{wanted.replace(parameters=bare, return_annotation=inspect.Signature.empty)}"


def _misspelt(kind: type, base: type) -> Iterator[str]:
    """A name that nothing uses, and that is nearly one of the contract's."""
    known = sorted(name for name in {*dir(base), *ATTRIBUTES} if not name.startswith("_"))
    for name, value in vars(kind).items():
        if name.startswith("_") or name in known or hasattr(base, name) or _is_used(kind, name):
            continue
        close = [one for one in difflib.get_close_matches(name, known, 3, 0.8) if not _overrides(kind, base, one)]
        if close:
            where = of_code(value.__code__) if isinstance(value, FunctionType) else at_class(kind, name)
            yield f"{where}: {name} is nothing that the workbench asks for; write {close[0]}"


def _is_used(kind: type, name: str) -> bool:
    """Tell whether the class's file mentions a name anywhere but where it is defined."""
    tree = module_tree(kind)
    if tree is None:
        return True
    return any(
        (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.Constant) and node.value == name)
        for node in ast.walk(tree)
    )
