"""The widgets without a browser: set a control, check the text, the picture, the error."""

import struct

import pytest
from traitlets import TraitError

import workbench.present.widgets.bars as bars
from workbench.errors import WorkbenchError
from workbench.present import widgets
from workbench.present.widgets import ExitsPanel, Panel, RegisterPanel, StatePanel, StepsPanel, View

THIRD = "tests/protocols/data/third.py:RegisterArray"
EVERY = [
    (ExitsPanel, {"vcpus": 2}),
    (StatePanel, {"vcpus": 2}),
    (StepsPanel, {}),
    (RegisterPanel, {}),
]
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(params=EVERY, ids=[kind.__name__ for kind, _ in EVERY])
def panel(request):
    kind, arguments = request.param
    return kind(**arguments)


def size_of(png):
    assert bytes(png[:4]) == b"\x89PNG"
    return struct.unpack(">II", png[16:24])


def test_a_panel_is_its_text_where_there_is_no_browser(panel):
    assert repr(panel) == panel.text
    assert panel.text.strip()
    assert max(map(len, panel.text.splitlines())) <= 72
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == panel.text
    assert WIDGET_VIEW in bundle
    assert ("image/png" in bundle) is bool(panel.picture)
    assert ("text/html" in bundle) is bool(panel.drawing)


def test_the_line_to_copy_gives_the_same_view(panel):
    again = eval(panel.as_python(), vars(widgets))
    assert again.text == panel.text
    assert again.picture == panel.picture
    assert again.drawing == panel.drawing
    assert type(panel).__name__ in panel.source.value


def test_the_same_setting_gives_the_same_bytes_after_a_detour(panel):
    first = (panel.text, panel.picture, panel.drawing)
    name, other = {"ExitsPanel": ("vcpus", 4), "StatePanel": ("event", "migrate"), "StepsPanel": ("step", 3),
                   "RegisterPanel": ("value", "0x2ff1")}[type(panel).__name__]  # fmt: skip
    before = panel.controls[name].value
    panel.controls[name].value = other
    assert (panel.text, panel.picture, panel.drawing) != first
    panel.controls[name].value = before
    assert (panel.text, panel.picture, panel.drawing) == first


def test_an_error_is_shown_where_the_reader_looks(panel, monkeypatch):
    def broken():
        raise ZeroDivisionError("no <vCPUs>")

    monkeypatch.setattr(panel, "view", broken)
    panel.changed()
    assert "ZeroDivisionError: no &lt;vCPUs&gt; (test_widgets.py:" in panel.error.value
    assert panel.text.startswith("error: ZeroDivisionError: no <vCPUs>")
    assert not panel.picture
    assert not panel.drawing
    assert panel.image.layout.visibility == "hidden"
    monkeypatch.undo()
    panel.changed()
    assert panel.error.value == ""
    assert panel.image.layout.visibility == "visible"


def test_pictures_keep_their_size():
    panel = ExitsPanel(vcpus=1)
    assert size_of(panel.picture) == panel.size
    panel.controls["protocols"].value = ("generic", "generic+copy-once", "per_feature", "null")
    assert panel.error.value == ""
    assert size_of(panel.image.value) == panel.size
    assert (int(panel.image.width), int(panel.image.height)) == panel.size


def test_the_slider_is_followed_by_the_numbers():
    panel = ExitsPanel(vcpus=1)
    assert panel.controls["vcpus"].options[0] == 1
    assert panel.controls["vcpus"].options[-1] == 4096
    for vcpus in (1, 64, 96):
        panel.controls["vcpus"].value = vcpus
        row = next(line.split() for line in panel.text.splitlines() if line.startswith("per_feature"))
        assert row[2] == str(1 + 5 * vcpus)


def test_features_and_protocols_are_ticked_and_typed():
    panel = ExitsPanel(vcpus=2, features=("kvmclock",))
    assert "per_feature  registered      2" in panel.text
    panel.controls["features"].boxes["steal_time"].value = True
    assert panel.controls["features"].value == ("kvmclock", "steal_time")
    assert "per_feature  registered      4" in panel.text
    panel.controls["protocols"].others.value = f"{THIRD}, generic+copy-once"
    assert panel.controls["protocols"].value == ("generic", "per_feature", THIRD, "generic+copy-once")
    assert "register_array" in panel.text
    panel.controls["protocols"].boxes["generic"].value = False
    assert panel.controls["protocols"].value == ("per_feature", THIRD, "generic+copy-once")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("protocols", ("nobody",), "unknown protocol"),
        ("protocols", (), "no protocol named"),
        ("protocols", ("nowhere.py:X",), "does not exist"),
        ("features", (), "no feature named"),
    ],
)
def test_a_mistake_is_one_line_in_the_panel(name, value, message):
    panel = ExitsPanel(vcpus=1)
    panel.controls[name].value = value
    assert message in panel.error.value
    assert "Traceback" not in panel.error.value


def test_events_that_need_more_vcpus_say_so():
    panel = ExitsPanel(vcpus=1, event="cpu-hotplug")
    assert "needs at least 2 vCPUs" in panel.error.value
    panel.controls["vcpus"].value = 2
    assert panel.error.value == ""


def test_a_cost_needs_a_model_and_may_be_unknown():
    panel = ExitsPanel(vcpus=1)
    assert "cycles" not in panel.text
    panel.controls["cost_model"].value = "cpuid-2024"
    generic = next(line for line in panel.text.splitlines() if line.startswith("generic"))
    assert generic.endswith("unknown")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExitsPanel(event="flood"), "unknown event 'flood'"),
        (lambda: ExitsPanel(cost_model="guess"), "unknown cost model 'guess'"),
        (lambda: StepsPanel(feature="sundial"), "unknown feature 'sundial'"),
        (lambda: StepsPanel(operation="sing"), "unknown operation 'sing'"),
        (lambda: RegisterPanel("FLOOD"), "unknown register 'FLOOD'"),
    ],
)
def test_a_panel_cannot_be_made_of_what_is_not_there(make, message):
    with pytest.raises(WorkbenchError, match=message):
        make()


def test_state_that_no_migration_carries_is_told_apart():
    panel = StatePanel(vcpus=1, protocols=("generic", "generic+carry-registry", "null"))
    assert "generic                 area kvmclock        1    16  nothing" in panel.text
    assert "generic+carry-registry  area kvmclock        1    16  new ioctl" in panel.text
    panel.controls["protocols"].value = ("null",)
    assert "No state." in panel.text


def test_a_picture_of_the_same_protocols_is_not_built_anew(monkeypatch):
    panel = StatePanel(vcpus=1)
    monkeypatch.setattr(bars.BarPicture, "_rebuild", lambda self, _: pytest.fail("built anew"))
    panel.controls["vcpus"].value = 2
    assert panel.error.value == ""


@pytest.mark.parametrize("protocol", ["generic", "per_feature", THIRD])
def test_every_step_can_be_shown(protocol):
    panel = StepsPanel(protocol, "steal_time", "update")
    last = panel.controls["step"].max
    assert last > 3
    for step in range(last + 1):
        panel.controls["step"].value = step
        assert panel.error.value == ""
        assert f"data-step='{step}'" in panel.drawing
    assert panel.drawing.count("kernel") == last


def test_steps_change_with_what_is_asked():
    panel = StepsPanel("generic", "watchdog", "register")
    steps = panel.controls["step"].max
    panel.controls["step"].value = steps
    panel.controls["operation"].value = "read"
    assert panel.error.value == ""
    panel.controls["operation"].value = "register"
    panel.controls["protocol"].value = "per_feature"
    assert "no way to name the feature" in panel.error.value
    panel.controls["protocol"].value = "generic"
    assert panel.controls["step"].max == steps


def test_register_values_are_numbers_of_64_bits():
    panel = RegisterPanel("ASYNC_PF_EN", "0x3009")
    assert "handled" in panel.text
    for wrong in ("many", "-1", hex(1 << 64), ""):
        panel.controls["value"].value = wrong
        assert "allowed: 0 to 0xffffffffffffffff" in panel.error.value
    panel.controls["value"].value = "0x3009"
    panel.controls["irqchip"].value = False
    assert "fault" in panel.text
    panel.controls["cpuid_bits"].value = "77"
    assert "not a CPUID bit" in panel.error.value


def test_a_panel_says_when_it_has_no_view():
    class Empty(Panel):
        controls: dict = {}  # noqa: RUF012

    panel = Empty()
    panel.start()
    assert "Empty.view must be written" in panel.error.value


def test_a_panel_may_show_text_alone():
    class Plain(Panel):
        controls: dict = {}  # noqa: RUF012

        def view(self):
            return View("one line")

    panel = Plain()
    panel.start()
    assert "one line" in panel.pre.value
    assert panel.image.layout.display == "none"


def test_a_value_that_is_no_option_is_refused_by_the_control():
    with pytest.raises(TraitError):
        ExitsPanel(vcpus=1).controls["vcpus"].value = 0
