"""Finds the engine that carries out a replay, and says why one cannot run here.

An engine is loaded only when it is requested, so an engine that cannot run here does no harm.
Its module ``target`` holds an ``Engine`` called ENGINE (``workbench.core.replay_target``).
"""

from importlib import import_module
from importlib.util import find_spec

from workbench.core.replay_target import Engine
from workbench.errors import EngineError, unknown

#: The name on the command line, and the module that serves it.
ENGINES = {"sim": "workbench.engines.simulate.replay_target", "kvm": "workbench.engines.kvm.replay_target"}


def find_engine(name: str) -> Engine:
    """Return the engine called ``name``; raise EngineError, saying why, if it cannot replay here."""
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    if find_spec(ENGINES[name]) is None:
        raise EngineError(f"engine {name} cannot replay yet: this version has no {ENGINES[name]}; use --engine sim")
    engine: Engine = import_module(ENGINES[name]).ENGINE
    reason = engine.why_not()
    if reason is not None:
        raise EngineError(f"engine {name} cannot replay here: {reason}")
    return engine
