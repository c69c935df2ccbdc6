"""Tests of lifecycle events: every event under every protocol, the fates, and the reasons for them."""
