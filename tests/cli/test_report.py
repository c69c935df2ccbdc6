"""``workbench report`` writes everything into one directory or nothing, with the same bytes in each run."""

import csv
import html
import io
import re
import time

import nbformat
import pytest

from workbench.cli import main
from workbench.commands import report as command
from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.lifecycle import choose as choose_events
from workbench.measure import compare, variants
from workbench.measure.comparison import growth
from workbench.present import index, report
from workbench.present.notebooks import notebooks
from workbench.present.progress import Progress
from workbench.present.text.found import what_was_found
from workbench.present.text.report import Parameters


@pytest.fixture(autouse=True)
def _few_machines(monkeypatch):
    """Run short growth curves and few searches, because these tests do not depend on how many there are."""
    monkeypatch.setattr(index, "EXPLORED", ("migrate",))
    original = report.over_vcpus
    monkeypatch.setattr(
        report,
        "over_vcpus",
        lambda one, two, three, points, **more: original(one, two, three, (1, 4), **more),
    )


def write(folder, *options):
    return main(
        ["report", str(folder), "--vcpus", "2", "--events", "boot,migrate", "--no-notebooks", *options]
    )


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_text_tables_and_figures(tmp_path, capsys):
    folder = tmp_path / "new"
    assert write(folder) == 0
    found = contents(folder)
    said = capsys.readouterr().out
    assert said.endswith(f"Look at {folder}/index.html first: it explains all {len(found)} files.\n")
    assert len(said.splitlines()) <= 10
    assert "generic: boot takes 10 exits, 172 bytes of state, 0 carried.\n" in said
    assert "Areas end lost in migrate." in said
    assert "Searches find double fetch (descriptor-race, " in said
    tables = {
        "comparison", "growth_vcpus", "growth_features", "payload_updates", "state_entries", "hidden_state"
    }  # fmt: skip
    assert {name.removesuffix(".csv") for name in found if name.endswith(".csv")} == tables
    pictures = {name.removesuffix(".png") for name in found if name.endswith(".png")}
    assert pictures == {name.removesuffix(".svg") for name in found if name.endswith(".svg")}
    assert found["index.html"].startswith(b"<!doctype html>")
    page = found["index.html"].decode()
    for name in found.keys() - {"index.html"}:
        assert re.search(rf'<li>.*href="{re.escape(name)}".*</a>: [A-Z].+\.</li>', page), f"{name} is not explained"
    assert html.escape(said.splitlines()[1]) in page
    for place in re.findall(r'href="#(\w+)"', page):
        assert f'id="{place}"' in page
    assert {"exits_by_vcpus", "state_bytes_by_vcpus", "guest_memory", "fates", "exits_by_class"} <= pictures
    assert all(found[f"{name}.png"].startswith(b"\x89PNG") for name in pictures)
    text = found["report.txt"].decode("ascii")
    assert all(len(line) <= 72 for line in text.splitlines() if str(folder) not in line)
    assert "simulated, not measured on hardware" in text
    assert "per_feature: 0 + 146 for each vCPU" in " ".join(text.split())
    said = {
        (row["protocol"], row["feature"]): (row["updates"], row["count_is"])
        for row in csv.DictReader(io.StringIO(found["payload_updates.csv"].decode()))
    }
    assert said["generic", "steal_time"] == said["per_feature", "steal_time"] == ("2", "upper bound")
    rows = list(csv.DictReader(io.StringIO(found["comparison.csv"].decode())))
    assert {row["event"] for row in rows} == {"boot", "migrate"}


def test_the_same_command_gives_the_same_bytes(tmp_path):
    folder = tmp_path / "r"
    assert write(folder) == 0
    first = contents(folder)
    assert write(folder) == 0
    assert contents(folder) == first


def test_figures_for_paper(tmp_path, capsys):
    assert write(tmp_path / "r", "--size", "print") == 0
    png = (tmp_path / "r" / "fates.png").read_bytes()
    assert int.from_bytes(png[16:20], "big") == 1890  # the width: 6.3 inches of 300 dots
    capsys.readouterr()
    assert write(tmp_path / "no", "--size", "slide") == 2
    assert "unknown value 'slide'; known: print, screen, projector" in capsys.readouterr().err


def test_ctrl_c_leaves_earlier_results(tmp_path, monkeypatch, capsys):
    assert write(tmp_path / "r") == 0
    before = contents(tmp_path / "r")

    def interrupt(figure):
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.present.figures.images.svg", interrupt)
    assert write(tmp_path / "r", "--seed", "3") == 130
    assert contents(tmp_path / "r") == before
    assert write(tmp_path / "never") == 130
    assert not (tmp_path / "never").exists()


def test_a_directory_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert write(tmp_path / "file") == 2
    captured = capsys.readouterr()
    assert captured.err == f"workbench: cannot write into directory '{tmp_path}/file': File exists\n"
    assert captured.out == ""
    assert (tmp_path / "file").read_text() == "mine"


def notebook(folder, source, name="00-start.ipynb"):
    folder.mkdir(exist_ok=True)
    cells = [nbformat.v4.new_markdown_cell("# A page"), nbformat.v4.new_code_cell(source)]
    document = nbformat.v4.new_notebook(cells=cells)
    document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(document, folder / name)


def test_notebooks_are_executed(tmp_path, monkeypatch):
    notebook(tmp_path / "notebooks", "print('executed:', 6 * 7)")
    monkeypatch.setattr(command, "NOTEBOOKS", tmp_path / "notebooks")
    assert main(["report", str(tmp_path / "r"), "--vcpus", "2", "--events", "boot"]) == 0
    assert "executed: 42" in (tmp_path / "r" / "00-start.html").read_text()
    assert '<li><a href="00-start.html">00-start.html</a>: A page</li>' in (tmp_path / "r" / "index.html").read_text()


def test_a_notebook_that_fails_is_named(tmp_path):
    notebook(tmp_path / "notebooks", "raise ValueError('no such page')")
    with pytest.raises(WorkbenchError, match=r"^notebook 00-start.ipynb fails: ValueError: no such page$"):
        notebooks.as_html(tmp_path / "notebooks" / "00-start.ipynb")


def test_one_that_fails_ends_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    notebook(tmp_path / "notebooks", "1 / 0", "00.ipynb")
    notebook(tmp_path / "notebooks", "import time\ntime.sleep(300)", "01.ipynb")
    started = time.monotonic()
    with pytest.raises(WorkbenchError, match=r"^notebook 00.ipynb fails: ZeroDivisionError"):
        notebooks.write_all(tmp_path / "notebooks", tmp_path, lambda done, of: None)
    assert time.monotonic() - started < 120


def test_two_designs_take_ten_lines_with_every_event_that_ships():
    metrics = ["exits", "state_bytes", "state_carried_bytes", "fate"]
    chosen = Parameters(variants(["generic", "per_feature"]), choose(), choose_events(), 2, 0, None, ())
    table = compare(chosen.variants, chosen.events, chosen.features, 2, metrics=metrics)
    found = what_was_found(table, lambda label: [], chosen).splitlines()
    assert len(found) == 9  # and a line that says where to look
    assert max(map(len, found)) <= 72


def test_the_growth_curves_reach_4096():
    assert growth.POINTS[0] == 1
    assert growth.POINTS[-1] == 4096


def test_progress_speaks_only_of_what_takes_long(capsys):
    quick, slow = Progress(patience=1e9), Progress(patience=0)
    quick("quick")
    slow("slow")
    captured = capsys.readouterr()
    assert captured.err == "workbench: slow\n"
    assert captured.out == ""


def test_designs_of_several_abis_are_measured_with_the_features_that_each_carries(tmp_path):
    from workbench.features import FEATURES

    line = ["report", str(tmp_path / "r"), "--protocols", "per_feature,papr_vpa", "--events", "boot", "--vcpus", "2"]
    assert main([*line, "--no-notebooks"]) == 0
    growth = list(csv.DictReader(io.StringIO((tmp_path / "r" / "growth_vcpus.csv").read_text())))
    assert {(row["protocol"], row["features"]) for row in growth} == {
        ("per_feature", "all"), ("papr_vpa", "vpa,dtl,slb_shadow"),
    }  # fmt: skip
    by_count = list(csv.DictReader(io.StringIO((tmp_path / "r" / "growth_features.csv").read_text())))
    most = {row["protocol"]: row["feature_count"] for row in by_count}
    assert most == {"per_feature": str(len(FEATURES)), "papr_vpa": "3"}
    text = (tmp_path / "r" / "report.txt").read_text()
    assert "features of papr_vpa: vpa, dtl, slb_shadow\n" in text
    assert text.count("exits by features, in exits") == 2, "a table for each ABI"
    entries = (tmp_path / "r" / "state_entries.csv").read_text()
    assert "slb_shadow" in entries
