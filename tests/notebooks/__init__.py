"""The notebooks as tests: they run, reproduce their committed outputs, and can be read without a kernel."""
