"""Positions of generator programs: what identifies a suspended generator, and what it does next."""
