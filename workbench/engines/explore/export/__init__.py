"""The explored model for other programs: Promela and the SPIN checker, DOT, GraphML."""
