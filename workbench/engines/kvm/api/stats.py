"""KVM's binary statistics of a VM or a vCPU, by name.

Looked up by name, never by position: vendor modules add statistics of their own.
Source: Documentation/virt/kvm/api.rst, 4.133 KVM_GET_STATS_FD.
"""

import os
import struct

from workbench.engines.kvm.api.ioctl import KVM_GET_STATS_FD, call

_header, _descriptor = struct.Struct("<6I"), struct.Struct("<IhHIi")


class BinaryStats:
    """An open statistics descriptor of one VM or vCPU."""

    def __init__(self, owner_fd: int) -> None:
        self._fd = call(owner_fd, KVM_GET_STATS_FD)
        try:
            self._offsets = self._read_descriptors()
        except BaseException:
            self.close()
            raise

    def read(self) -> dict[str, int]:
        """Return every single-valued statistic; histograms are left out."""
        data = os.pread(self._fd, self._size, self._data)
        return {name: struct.unpack_from("<Q", data, at)[0] for name, at in self._offsets.items()}

    def close(self) -> None:
        """Close the descriptor; it holds a reference to its owner."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read_descriptors(self) -> dict[str, int]:
        _, name_size, count, _, first, self._data = _header.unpack(os.pread(self._fd, _header.size, 0))
        each = _descriptor.size + name_size
        table = os.pread(self._fd, each * count, first)
        offsets: dict[str, int] = {}
        self._size = 0
        for row in range(count):
            _, _, values, at, _ = _descriptor.unpack_from(table, row * each)
            name = table[row * each + _descriptor.size : (row + 1) * each].split(b"\0")[0].decode()
            self._size = max(self._size, at + 8 * values)
            if values == 1:
                offsets[name] = at
        return offsets
