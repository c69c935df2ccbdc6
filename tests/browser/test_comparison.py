"""The comparison in a browser: what it shows is what the simulator measures, run or extrapolated."""

import pytest

from tests.browser.conftest import COMPARED as NAMES
from tests.browser.conftest import DESIGNS
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.measure.comparison.runs import measured
from workbench.measure.variants import variants
from workbench.present.web import page


@pytest.fixture
def view(comparison_view):
    return comparison_view



def run_of(design, event, vcpus, features):
    (variant,) = variants([design])
    return measured(variant, tuple(FEATURES[name] for name in features), vcpus, EVENTS[event])


def numbers(text):
    return int(text.split(" (")[0].replace("\u202f", ""))


def shown(opened):
    """The exits and the bytes of state that the machine's table shows, for each design."""
    rows = opened.locator(".pvw-machine .pvw-number").all_inner_texts()
    return [(numbers(rows[at]), numbers(rows[at + len(DESIGNS)])) for at in range(len(DESIGNS))]


@pytest.mark.parametrize("vcpus", [1, 2, 3, 5, 64, 200])
@pytest.mark.parametrize(("at", "features"), [(0, ("kvmclock", "steal_time", "watchdog")), (2, ("steal_time",))])
def test_numbers_are_those_of_runs_also_where_they_are_extrapolated(open_page, view, vcpus, at, features):
    opened = open_page(page("comparison", [view]))
    opened.get_by_label("features").select_option(str(at))
    opened.get_by_label("number of vCPUs").fill(str(vcpus))
    opened.get_by_label("number of vCPUs").press("Enter")
    runs = [run_of(design, "boot", vcpus, features) for design in DESIGNS]
    assert shown(opened) == [(run.counts["exits"], sum(e.wire_bytes for e in run.state)) for run in runs]
    assert opened.get_by_text("Extrapolated").count() == (vcpus not in (1, 2, 3, 64))


def test_the_slider_moves_by_keys_and_leaves_a_mark_where_it_was(open_page, view):
    opened = open_page(page("comparison", [view]))
    opened.get_by_label("vCPUs", exact=True).focus()
    opened.keyboard.press("ArrowRight")
    assert opened.get_by_label("number of vCPUs").input_value() == "96"
    assert opened.locator(".pvw-ghost").count() > 0
    assert "96 vCPUs" in opened.locator(".pvw-spoken").inner_text()


def test_a_design_that_lost_everything_does_not_look_best(open_page, view):
    opened = open_page(page("comparison", [view]))
    opened.get_by_role("button", name="migrate", exact=True).click()
    assert opened.locator(".pvw-machine .pvw-fate").all_inner_texts() == ["lost", "registered", "registered"]
    assert "generic 0 exits, lost" in opened.locator(".pvw-spoken").inner_text()


def test_an_event_that_needs_two_vcpus_cannot_happen_with_one(open_page, view):
    opened = open_page(page("comparison", [view]), "#event=cpu-hotplug&vcpus=1")
    assert opened.get_by_text("cannot happen").count() > 0


def test_the_heat_map_has_every_metric(open_page, view):
    opened = open_page(page("comparison", [view]))
    for metric in view.data["metrics"]:
        opened.get_by_label("heat map").select_option(metric)
        assert opened.locator(".pvw-heats tbody td").count() == len(NAMES) * len(DESIGNS)
    assert "lost" in opened.locator(".pvw-heats tbody").inner_text()


def test_the_address_keeps_the_settings(open_page, view):
    opened = open_page(page("comparison", [view]), "#event=migrate&vcpus=12&features=steal_time&metric=fate")
    said = opened.locator(".pvw-spoken").inner_text()
    assert said.startswith("migrate, 12 vCPUs, steal_time")
    again = open_page(page("comparison", [view]), opened.evaluate("location.hash"))
    assert again.locator(".pvw-spoken").inner_text() == said


def test_copied_command_and_mail_text(open_page, view):
    opened = open_page(page("comparison", [view]), "#vcpus=4", permissions=["clipboard-read", "clipboard-write"])
    opened.get_by_text("Copy or save").click()
    opened.get_by_role("button", name="copy command line").click()
    opened.get_by_text("copied command line").wait_for()
    command = opened.evaluate("navigator.clipboard.readText()")
    assert command.startswith("workbench compare --protocols generic,generic+carry-registry,per_feature --events boot")
    opened.get_by_role("button", name="copy mail text").click()
    opened.get_by_text("copied mail text").wait_for()
    mail = opened.evaluate("navigator.clipboard.readText()")
    assert max(map(len, mail.splitlines()[:6])) <= 72
    assert mail.isascii()
