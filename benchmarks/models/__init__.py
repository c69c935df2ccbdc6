"""Models whose numbers of states are known, written as guarded rules, for benchmarks and tests."""
