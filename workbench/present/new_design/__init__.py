"""A design to begin with: a commented file that passes ``workbench check``, and a notebook that shows what it does."""

from workbench.present.new_design.create import STYLES, create

__all__ = ["STYLES", "create"]
