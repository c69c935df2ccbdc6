"""Differential fuzzing: the same sequences of replay operations on the simulator and on real KVM, compared.

``generate`` writes sequences, ``sides`` carries them out, ``compare`` and ``payload`` judge, ``shrink`` makes a
divergence small, ``campaign`` does many. The manual is docs/fuzzing.md. Fuzzing a kernel can make it warn.
"""
