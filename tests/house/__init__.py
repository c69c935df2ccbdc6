"""Checks of the code as a whole: imports, the picture in ARCHITECTURE.md, and figures of size and breadth."""
