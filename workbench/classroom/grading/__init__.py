"""Grading: takes answers from students' notebooks in fenced processes, and judges them in others (docs/grading.md)."""
