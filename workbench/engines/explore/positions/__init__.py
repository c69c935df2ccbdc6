"""Where a program stands: what identifies a suspended generator, and what it does next, learnt once."""
