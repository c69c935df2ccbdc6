"""The trace stepper in a browser: every step by keys and by pointer, what it shows, and where the property breaks."""

import pytest

from workbench.present.web import page, side_by_side, trace


@pytest.fixture(scope="module")
def race():
    return trace("generic", "descriptor-race", ["wall_clock"], failure="double-fetch")


def expected(data, step):
    shown = [item["start"] for item in data["items"]]
    for taken in data["steps"][:step]:
        for item, text in taken["changes"]:
            shown[item] = text
    return shown


def test_every_step_shows_what_the_replay_on_bytes_gave(open_page, race):
    view = open_page(page("race", [race]))
    view.locator(".pvw-body input[type=range]").focus()
    for step in range(len(race.data["steps"]) + 1):
        assert view.locator(".pvw-count").inner_text() == f"{step} of {len(race.data['steps'])}"
        assert view.locator(".pvw-state tr td span").all_inner_texts() == expected(race.data, step)
        current = view.locator("tr[aria-current=step]")
        assert current.count() == (1 if step else 0)
        if step:
            assert race.data["steps"][step - 1]["text"] in current.inner_text()
            changed = view.locator(".pvw-state tr.pvw-changed").count()
            assert changed == len(race.data["steps"][step - 1]["changes"])
        view.keyboard.press("ArrowRight")


def test_the_step_that_breaks_is_reached_by_key_and_by_button_and_says_so(open_page, race):
    view = open_page(page("race", [race]))
    view.locator(".pvw-list").focus()
    view.keyboard.press("b")
    assert view.locator(".pvw-count").inner_text().startswith(f"{race.data['since']} of")
    assert "host read the descriptor twice" in view.locator(".pvw-spoken").inner_text()
    assert "double fetch" in view.locator(".pvw-violated").inner_text()
    view.keyboard.press("Home")
    assert view.locator(".pvw-count").inner_text().startswith("0 of")
    view.get_by_role("button", name="since step").click()
    assert view.locator(".pvw-count").inner_text().startswith(f"{race.data['since']} of")


@pytest.mark.parametrize(
    ("key", "to"), [("End", "7 of 7"), ("n", "1 of 7"), ("ArrowDown", "1 of 7"), ("ArrowLeft", "0 of 7")]
)
def test_keys(open_page, race, key, to):
    view = open_page(page("race", [race]))
    view.locator(".pvw-body input[type=range]").focus()
    view.keyboard.press(key)
    assert view.locator(".pvw-count").inner_text() == to


def test_play_goes_on_by_itself_and_stops(open_page, race):
    view = open_page(page("race", [race]))
    view.clock.install()
    view.get_by_role("button", name="Play").click()
    view.clock.run_for(2200)
    assert view.locator(".pvw-count").inner_text() == "3 of 7"
    view.get_by_role("button", name="Stop").click()
    view.clock.run_for(5000)
    assert view.locator(".pvw-count").inner_text() == "3 of 7"


def test_a_row_that_is_clicked_is_the_step(open_page, race):
    view = open_page(page("race", [race]))
    view.locator(".pvw-steps tbody tr").nth(5).click()
    assert view.locator(".pvw-count").inner_text() == "6 of 7"


def test_two_traces_step_alone_or_together(open_page):
    both = side_by_side(["generic", "per_feature"], "migrate", ["steal_time"], failure="lost-registration")
    view = open_page(page("both", [both]))
    counts = view.locator(".pvw-count")
    view.locator("input[type=range]").first.focus()
    view.keyboard.press("ArrowRight")
    assert [text.split()[0] for text in counts.all_inner_texts()] == ["1", "0"]
    view.get_by_label("step both together").check()
    view.locator("input[type=range]").first.focus()
    view.keyboard.press("ArrowRight")
    assert [text.split()[0] for text in counts.all_inner_texts()] == ["2", "2"]


def test_copies_are_the_text_and_the_command(open_page, race):
    view = open_page(page("race", [race]), permissions=["clipboard-read", "clipboard-write"])
    view.get_by_text("Copy or save").click()
    copies = {"mail text": race.text, "command line": race.data["command"], "Python": race.data["python"]}
    for label, said in copies.items():
        view.get_by_role("button", name=f"copy {label}").click()
        view.get_by_text(f"copied {label}").wait_for()
        assert view.evaluate("navigator.clipboard.readText()") == said
    with view.expect_download() as saved:
        view.get_by_role("button", name="save CSV").click()
    assert saved.value.suggested_filename == "generic-descriptor-race-double-fetch.csv"
    assert saved.value.path().read_text().count("\n") == len(race.data["steps"]) + 1


def test_without_scripts_the_text_is_shown(open_page, race):
    view = open_page(page("race", [race]), java_script_enabled=False)
    assert view.locator("pre.pvw-text").is_visible()
    assert view.locator("pre.pvw-text").inner_text().strip() == race.text.strip()


def test_the_python_that_is_copied_gives_the_same_trace(race):
    names = {}
    *imports, _, last = race.data["python"].strip().splitlines()
    exec("\n".join(imports), names)
    assert eval(last, names) == race
