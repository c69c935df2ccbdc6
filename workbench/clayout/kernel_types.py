"""Structs of the kernel that others contain, for pastes that come without their definitions.

Rule: only those are here whose layout no configuration changes; a text may define them otherwise.

Source: include/linux/types.h (list_head, hlist_head, hlist_node, callback_head), include/linux/rbtree_types.h,
include/linux/kref.h, include/linux/time64.h, include/uapi/linux/in.h, in6.h and uuid.h of Linux.
"""

from __future__ import annotations

from workbench.clayout.tree import KERNEL, NAMED, POINTER_SIZES, STANDARD, CArray, CMember, CScalar, CStruct, CType

_POINTER = CScalar("void *", POINTER_SIZES, kind="pointer")
_LONG = STANDARD["long"]


def _struct(tag: str, **members: CType) -> CStruct:
    return CStruct("struct", tag, tuple(CMember(name, kind) for name, kind in members.items()))


STRUCTS = {
    made.tag: made
    for made in (
        _struct("list_head", next=_POINTER, prev=_POINTER),
        _struct("hlist_head", first=_POINTER),
        _struct("hlist_node", next=_POINTER, pprev=_POINTER),
        _struct("callback_head", next=_POINTER, func=_POINTER),
        _struct("rcu_head", next=_POINTER, func=_POINTER),
        _struct("rb_node", __rb_parent_color=STANDARD["long unsigned"], rb_right=_POINTER, rb_left=_POINTER),
        _struct("rb_root", rb_node=_POINTER),
        _struct("kref", refcount=KERNEL["refcount_t"]),
        _struct("timespec64", tv_sec=KERNEL["time64_t"], tv_nsec=_LONG),
        _struct("in_addr", s_addr=NAMED["__be32"]),
        _struct("in6_addr", s6_addr32=CArray(NAMED["__be32"], 4)),
    )
}
