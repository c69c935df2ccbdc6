"""Verdicts: explorations, the failure matrix, the effects of mitigations, the cross-check with SPIN."""
