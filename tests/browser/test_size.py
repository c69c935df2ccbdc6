"""A page of the whole default matrix, with every trace: small enough for a mail, and open in less than a second."""

import pytest

from workbench.cli import main


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_page_of_the_default_matrix_is_small_and_opens_at_once(open_page, tmp_path):
    assert main(["page", "matrix", "-o", str(tmp_path / "all.html")]) == 0
    html = (tmp_path / "all.html").read_text()
    assert len(html.encode()) < 1_000_000
    opened = open_page(html)
    failing = opened.locator("button.pvw-fails")
    assert failing.count() > 50
    took = opened.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < took < 1000
    failing.last.click()
    assert opened.locator(".pvw-opened .pvw-violated").is_visible()
