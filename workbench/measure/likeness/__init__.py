"""How like hardware a design is: what registers of processors and devices do, asked of each design by running it."""
