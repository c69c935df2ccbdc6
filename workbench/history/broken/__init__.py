"""Designs with real bugs: small variants of protocols, whose mitigations are the fixes that were made.

The head of each file lists, in numbered clauses with their sources, how the variant differs from its protocol.
Without mitigations it is the design with the bug; the mitigation is the fix.
"""
