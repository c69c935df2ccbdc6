"""The search engine on NumPy arrays; it needs no compiler."""
