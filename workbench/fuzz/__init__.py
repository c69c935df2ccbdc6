"""Differential fuzzing: runs the same replay operations on the simulator and on real KVM, and compares them.

``generate`` makes sequences, ``runners`` runs them, ``compare`` and ``judging`` compare the answers, ``payload`` and
``tokens`` follow what must be equal, ``exclusions`` says what is left out, ``shrink`` minimizes a divergence,
``campaign`` runs many sequences. The manual is docs/fuzzing.md. Fuzzing can make a kernel warn.
"""
