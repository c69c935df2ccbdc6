"""How many small changes of protocols and core the tests notice; not part of the test run (see score.py)."""
