"""Verdicts: explorations, the failure matrix, what mitigations change, second opinions."""
