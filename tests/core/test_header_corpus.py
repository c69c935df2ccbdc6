"""The kernel's installed headers: every struct is laid out as gcc does it, or refused with a reason."""

import shutil

import pytest

from tests.golden.layouts import corpus, dwarf
from workbench.clayout.definitions import define
from workbench.clayout.headers import headers_of
from workbench.clayout.layout import Abi, Struct
from workbench.errors import WorkbenchError

KVM = corpus.INCLUDE / "linux/kvm.h"
needs_headers = pytest.mark.skipif(not KVM.exists(), reason="linux-libc-dev is not installed")
needs_gcc = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("gcc", "objcopy", "nm")), reason="gcc or binutils are not installed"
)


@needs_headers
@needs_gcc
@pytest.mark.parametrize("pattern", ["*kvm*.h", "linux/virtio_ring.h", "linux/vhost_types.h"])
def test_the_headers_of_this_trade_are_laid_out_as_gcc_does(pattern):
    found = corpus.measure(corpus.installed(pattern))
    assert found.wrong == []
    assert found.laid_out == found.structs > 0
    assert found.compared[Abi.X86_64.label] == found.structs


@needs_headers
@needs_gcc
def test_no_member_is_missing():
    """As gcc's debugging information lists them; `corpus` asks gcc only for those that we see."""
    compared, wrong = dwarf.compare(corpus.installed("linux/kvm*.h"))
    assert (compared > 100, wrong) == (True, [])


@needs_headers
@needs_gcc
def test_a_member_that_is_missing_is_found(monkeypatch):
    true = dwarf.our_members
    monkeypatch.setattr(dwarf, "our_members", lambda layout: {n: b for n, b in true(layout).items() if n != "flags"})
    assert any("struct kvm_clock_data" in said for said in dwarf.compare([KVM])[1])


@pytest.mark.slow
@needs_headers
@needs_gcc
@pytest.mark.timeout(1200)
def test_no_member_of_any_header_is_missing():
    compared, wrong = dwarf.compare(corpus.installed())
    assert (compared > 5000, wrong) == (True, [])


@pytest.mark.slow
@needs_headers
@needs_gcc
@pytest.mark.timeout(1200)
def test_all_headers():
    found = corpus.measure(corpus.installed())
    assert found.wrong == []
    assert found.structs > 3000
    assert found.laid_out > 0.95 * found.structs
    for abi in Abi:
        assert found.compared[abi.label] > 0.9 * found.structs


@needs_headers
def test_the_comparison_finds_a_wrong_layout(monkeypatch):
    """With one member of struct kvm_clock_data moved by a bit, the comparison must object."""
    true = corpus.members
    monkeypatch.setattr(
        corpus, "members", lambda *of: [(p, range(b.start + (p == "flags"), b.stop), i) for p, b, i in true(*of)]
    )
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    found = corpus.measure([KVM])
    assert any("struct kvm_clock_data on x86-64: flags at bit 65" in said for said in found.wrong)


@pytest.fixture
def tree(tmp_path):
    """Write an include folder with two headers, and a kernel's own one."""
    for name, text in {
        "include/linux/a.h": '#include <linux/b.h>\n#include "near.h"\nstruct a { b_t x[B]; near_t y; };\n',
        "include/linux/b.h": "#define B 3\n#ifdef __i386__\ntypedef int b_t;\n#else\ntypedef long long b_t;\n#endif\n",
        "include/linux/near.h": "typedef struct { char c; } near_t;\n#ifdef CONFIG_X\nstruct b { int x; };\n#endif\n",
        "kernel/include/linux/a.h": "#include <linux/b.h>\nstruct a { u8 x[B]; };\n",
        "kernel/include/linux/b.h": "#define B 3\n",
        "kernel/include/linux/kconfig.h": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def sizes(path, given=(), name=None):
    found = Struct(define(path.read_text(), headers_of(path, given)).find(name))
    return [found.on(abi).size for abi in Abi]


def test_headers_are_followed_in_an_include_folder_with_the_conditions_of_each_abi(tree):
    assert sizes(tree / "include/linux/a.h") == [32, 16]
    assert sizes(tree / "include/linux/a.h", name="near_t") == [1, 1]


def test_a_name_that_no_header_defines_is_not_defined(tree):
    path = tree / "include/linux/near.h"
    with pytest.raises(WorkbenchError, match="no struct b in the text; it defines: near_t"):
        sizes(path, name="b")


def test_headers_of_a_configured_kernel_are_followed_only_when_asked_for(tree):
    path = tree / "kernel/include/linux/a.h"
    assert headers_of(path) is None
    assert sizes(path, [tree / "kernel/include"]) == [3, 3]
    with pytest.raises(WorkbenchError, match="is not there"):
        headers_of(path, [tree / "nowhere"])


def test_a_refusal_in_a_header_names_the_header(tree):
    (tree / "include/linux/b.h").write_text("struct inner { nothing_t x; };\n")
    path = tree / "include/linux/a.h"
    path.write_text("#include <linux/b.h>\nstruct a { struct inner x; };\n")
    with pytest.raises(WorkbenchError, match=r"line 2: struct inner is left out: linux/b.h line 1: unknown type"):
        sizes(path)


def test_headers_that_include_themselves_are_refused(tree):
    (tree / "include/linux/b.h").write_text("#include <linux/b.h>\n")
    with pytest.raises(WorkbenchError, match=r"linux/b\.h line 1: headers include each other deeper than 40"):
        sizes(tree / "include/linux/a.h")
