"""The widgets without a browser: set a control, check the result, the error, what is computed and when."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from workbench.errors import WorkbenchError
from workbench.present import widgets
from workbench.present.widgets import ComparisonPanel, OperationPanel, Panel, RegisterPanel
from workbench.present.widgets import panel as panels
from workbench.present.widgets.panel import PATIENCE, WAITING

THIRD = "tests/protocols/data/third.py:RegisterArray"
EVERY = [
    (ComparisonPanel, {"events": "boot", "features": ("kvmclock",)}),
    (OperationPanel, {}),
    (RegisterPanel, {}),
]
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(params=EVERY, ids=[kind.__name__ for kind, _ in EVERY])
def panel(request):
    kind, arguments = request.param
    return kind(**arguments)


def test_a_panel_is_its_text_where_there_is_no_browser(panel):
    assert repr(panel) == panel.text
    assert panel.text.strip()
    assert max(map(len, panel.text.splitlines())) <= 72
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == panel.text
    assert WIDGET_VIEW in bundle
    assert ("text/html" in bundle) is bool(panel.drawing)
    (output,) = panel.shown.outputs
    assert output["data"] == {kind: bundle[kind] for kind in ("text/plain", "text/html") if kind in bundle}


def test_the_line_to_copy_gives_the_same_view(panel):
    again = eval(panel.as_python(), vars(widgets))
    assert (again.text, again.drawing) == (panel.text, panel.drawing)
    assert type(panel).__name__ in panel.source.value


def test_the_same_setting_gives_the_same_bytes_after_a_detour(panel):
    first = (panel.text, panel.drawing)
    name, other = {"ComparisonPanel": ("events", "migrate"), "OperationPanel": ("what", "update"),
                   "RegisterPanel": ("value", "0x2ff1")}[type(panel).__name__]  # fmt: skip
    before = panel.controls[name].value
    panel.controls[name].value = other
    assert (panel.text, panel.drawing) != first
    panel.controls[name].value = before
    assert (panel.text, panel.drawing) == first


def test_an_error_is_shown_where_the_reader_looks(panel, monkeypatch):
    def broken():
        raise ZeroDivisionError("no <vCPUs>")

    monkeypatch.setattr(panel, "view", broken)
    panel.changed()
    assert "ZeroDivisionError: no &lt;vCPUs&gt; (test_widgets.py:" in panel.error.value
    assert panel.text.startswith("error: ZeroDivisionError: no <vCPUs>")
    assert not panel.drawing
    assert panel.shown.outputs == ()
    monkeypatch.undo()
    panel.changed()
    assert panel.error.value == ""
    assert panel.shown.outputs


def test_a_change_dims_at_once_and_only_the_newest_is_computed(panel, monkeypatch):
    """In a kernel several changes may be waiting when a computation ends."""
    name, values = {"ComparisonPanel": ("events", ("migrate", "kexec", "init")),
                    "OperationPanel": ("what", ("update", "read", "unregister")),
                    "RegisterPanel": ("value", ("0x1", "0x2", "0x3"))}[type(panel).__name__]  # fmt: skip
    computed, view = [], panel.view
    monkeypatch.setattr(panels, "kernels_loop", asyncio.get_running_loop)
    monkeypatch.setattr(panel, "view", lambda: (computed.append(panel.controls[name].value), view())[1])

    async def change():
        for value in values:
            panel.controls[name].value = value
        assert WAITING in panel.shown._dom_classes
        assert computed == []
        await asyncio.sleep(4 * PATIENCE)

    # In a thread of its own: a browser that other tests drive may have left a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, change()).result()
    assert computed == [values[-1]]
    assert WAITING not in panel.shown._dom_classes


def test_features_and_protocols_are_ticked_and_typed():
    panel = ComparisonPanel(events="boot", features=("kvmclock",))
    assert "per_feature     64" in panel.text
    panel.controls["features"].boxes["steal_time"].value = True
    assert panel.controls["features"].value == ("kvmclock", "steal_time")
    assert "per_feature    128" in panel.text
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
        ("events", "flood", "unknown event"),
        ("events", "", "no event named"),
    ],
)
def test_a_mistake_is_one_line_in_the_panel(name, value, message):
    panel = ComparisonPanel(events="boot", features=("kvmclock",))
    panel.controls[name].value = value
    assert message in panel.error.value
    assert "Traceback" not in panel.error.value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OperationPanel(feature="sundial"), "unknown feature 'sundial'"),
        (lambda: OperationPanel(what="sing"), "unknown operation 'sing'"),
        (lambda: RegisterPanel("FLOOD"), "unknown register 'FLOOD'"),
    ],
)
def test_a_panel_cannot_be_made_of_what_is_not_there(make, message):
    with pytest.raises(WorkbenchError, match=message):
        make()


def test_a_feature_that_a_design_cannot_name_is_said_in_the_panel():
    panel = OperationPanel("generic", "watchdog")
    panel.controls["protocol"].value = "per_feature"
    assert "no way to name the feature" in panel.error.value
    panel.controls["protocol"].value = THIRD
    assert "register_array" in panel.text or panel.error.value


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
