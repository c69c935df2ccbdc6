"""The simulator: one schedule, every step counted and recorded."""

from workbench.engines.simulate.engine import Run, Simulation, simulate

__all__ = ["Run", "Simulation", "simulate"]
