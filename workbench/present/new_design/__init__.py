"""A design to begin with: a commented file that passes ``workbench check``, and a notebook that shows what it does."""
