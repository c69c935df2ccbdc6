"""The macros that are defined before the first line of a text: those of gcc for each ABI, and the kernel's for x86.

Source: gcc 12, ``gcc -dM -E`` with -m64 and -m32; include/uapi/asm-generic/bitsperlong.h, arch/x86/Kconfig and
include/uapi/linux/byteorder/little_endian.h of Linux; arch/x86/include/asm/page_types.h, include/uapi/linux/if_ether.h,
include/uapi/linux/if.h and include/linux/sched.h for the sizes.
"""

from __future__ import annotations

from workbench.clayout.abi import Abi

_COMPILER = (
    "__STDC__ 1", "__STDC_VERSION__ 201710L", "__STDC_HOSTED__ 1", "__GNUC__ 12", "__GNUC_MINOR__ 2", "__CHAR_BIT__ 8",
    "__linux__ 1", "__linux 1", "linux 1", "__unix__ 1", "__unix 1", "unix 1", "__gnu_linux__ 1",
    "__ORDER_LITTLE_ENDIAN__ 1234", "__ORDER_BIG_ENDIAN__ 4321", "__BYTE_ORDER__ 1234", "__OPTIMIZE__ 1",
    "__SIZEOF_INT__ 4", "__SIZEOF_LONG_LONG__ 8", "__INT_MAX__ 0x7fffffff", "__LONG_LONG_MAX__ 0x7fffffffffffffffLL",
    "__INT8_TYPE__ signed char", "__INT16_TYPE__ short", "__INT32_TYPE__ int", "__UINT8_TYPE__ unsigned char",
    "__UINT16_TYPE__ unsigned short", "__UINT32_TYPE__ unsigned int", "__WCHAR_TYPE__ int",
    "__WINT_TYPE__ unsigned int",
)  # fmt: skip
_OF_ABI = {
    Abi.X86_64: (
        "__x86_64__ 1", "__x86_64 1", "__amd64__ 1", "__amd64 1", "__LP64__ 1", "_LP64 1", "__SIZEOF_LONG__ 8",
        "__SIZEOF_POINTER__ 8", "__SIZEOF_SIZE_T__ 8", "__SIZEOF_INT128__ 16", "__SIZE_TYPE__ unsigned long",
        "__PTRDIFF_TYPE__ long", "__INT64_TYPE__ long", "__UINT64_TYPE__ unsigned long", "__INTPTR_TYPE__ long",
        "__UINTPTR_TYPE__ unsigned long", "__LONG_MAX__ 0x7fffffffffffffffL",
    ),
    Abi.I386: (
        "__i386__ 1", "__i386 1", "i386 1", "__ILP32__ 1", "_ILP32 1", "__SIZEOF_LONG__ 4", "__SIZEOF_POINTER__ 4",
        "__SIZEOF_SIZE_T__ 4", "__SIZE_TYPE__ unsigned int", "__PTRDIFF_TYPE__ int", "__INT64_TYPE__ long long",
        "__UINT64_TYPE__ unsigned long long", "__INTPTR_TYPE__ int", "__UINTPTR_TYPE__ unsigned int",
        "__LONG_MAX__ 0x7fffffffL",
    ),
}  # fmt: skip
#: What the kernel's own headers say of x86, for a paste that comes without them.
_KERNEL_OF_ABI = {
    Abi.X86_64: ("BITS_PER_LONG 64", "__BITS_PER_LONG 64", "CONFIG_64BIT 1", "CONFIG_X86 1", "CONFIG_X86_64 1"),
    Abi.I386: ("BITS_PER_LONG 32", "__BITS_PER_LONG 32", "CONFIG_X86 1", "CONFIG_X86_32 1"),
}
_KERNEL = (
    "__LITTLE_ENDIAN_BITFIELD 1", "CONFIG_CPU_LITTLE_ENDIAN 1", "PAGE_SHIFT 12", "PAGE_SIZE 4096", "BITS_PER_BYTE 8",
    "ETH_ALEN 6", "IFNAMSIZ 16", "TASK_COMM_LEN 16",
)  # fmt: skip
#: Names that are not defined for C on x86, unless one of the tables above defines them.
NEVER = frozenset({
    "__cplusplus", "__ASSEMBLY__", "__ASSEMBLER__", "__BIG_ENDIAN_BITFIELD", "CONFIG_CPU_BIG_ENDIAN", "CONFIG_64BIT",
    "CONFIG_X86_64", "CONFIG_X86_32", "__x86_64__", "__i386__", "__LP64__", "_LP64", "__ILP32__", "__CHECKER__",
    "__GENKSYMS__", "__aarch64__", "__arm__", "__powerpc__", "__s390__", "__s390x__", "__riscv", "__mips__",
    "__clang__", "__ia64__", "__alpha__", "__sparc__", "_MSC_VER", "_WIN32", "CONFIG_ARM64", "CONFIG_ARM",
    "CONFIG_S390", "CONFIG_PPC",
})  # fmt: skip


def predefined(abi: Abi, paste: bool) -> tuple[str, ...]:
    """What stands behind #define for each; a paste comes without the kernel's headers, and gets what they define."""
    return (*_COMPILER, *_OF_ABI[abi], *((*_KERNEL, *_KERNEL_OF_ABI[abi]) if paste else ()))
