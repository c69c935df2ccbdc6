"""The notebooks as tests: executed, compared with what is committed, and kept readable."""
