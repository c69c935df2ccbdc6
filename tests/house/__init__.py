"""The house seen from outside: who imports whom, the picture in ARCHITECTURE.md, and figures of size and breadth."""
