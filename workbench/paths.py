"""Where the package finds its data: measured files, cost models, known differences."""

from pathlib import Path

#: The folder data/ of the checkout, or its copy in an installed package.
DATA = Path(__file__).resolve().parent / "data"
#: The notebooks/ of the checkout; in an installed package this folder does not exist.
NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
