"""The README's pictures of the views show the present pages."""

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "docs/pictures/views.py"


@pytest.fixture(scope="module")
def views():
    spec = importlib.util.spec_from_file_location("views_pictures", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_current(views):
    pages = views.pages()
    assert set(pages) == set(views.SCENES)
    for name, html in pages.items():
        with Image.open(views.FOLDER / f"{name}.png") as picture:
            assert picture.text["page"] == views.checksum(html), f"run python docs/pictures/views.py ({name})"


def test_the_readme_shows_them(views):
    readme = (ROOT / "README.md").read_text()
    assert [name for name in views.SCENES if f"docs/pictures/{name}.png" not in readme] == []
