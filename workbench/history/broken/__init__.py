"""Designs as they were when a bug was in them: small variants, each switch of which is the fix that was made.

A file says in numbered clauses what differs from the protocol it varies, and where that is documented. A variant
without mitigations is the design as it was; the mitigation is the fix.
"""
