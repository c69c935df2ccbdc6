"""Tables and drawings for a terminal or a mail: 72 columns of ASCII, and the same as records."""
