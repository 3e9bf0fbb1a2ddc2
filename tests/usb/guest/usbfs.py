"""The least of USB for a test: Linux's own usbfs, without libusb (linux/usbdevice_fs.h)."""

import ctypes
import errno
import fcntl
import os
import struct

from guest.rig import Failed, attribute

CONTROL = 0xC0185500
BULK = 0xC0185502
CLEAR_HALT = 0x80045515
CLAIM = 0x8004550F


class UsbError(OSError):
    @property
    def name(self):
        return errno.errorcode.get(self.errno, str(self.errno))


class Usb:
    """The device in a port, opened."""

    def __init__(self, port):
        self.path = "/dev/bus/usb/%03d/%03d" % (
            int(attribute(port, "busnum")), int(attribute(port, "devnum")))

    def __enter__(self):
        self.file = os.open(self.path, os.O_RDWR)
        return self

    def __exit__(self, *_):
        os.close(self.file)

    def claim(self, interface):
        fcntl.ioctl(self.file, CLAIM, struct.pack("I", interface))

    def clear_halt(self, endpoint):
        fcntl.ioctl(self.file, CLEAR_HALT, struct.pack("I", endpoint))

    def control_in(self, kind, request, value, index, count, timeout_ms=20_000):
        buffer = ctypes.create_string_buffer(count)
        request = bytearray(struct.pack("BBHHHIxxxxQ", kind, request, value, index, count, timeout_ms,
                                        ctypes.addressof(buffer)))
        try:
            got = fcntl.ioctl(self.file, CONTROL, request)
        except OSError as error:
            raise UsbError(error.errno, os.strerror(error.errno)) from None
        return buffer.raw[:got]

    def _bulk(self, endpoint, buffer, count, timeout_ms):
        request = bytearray(
            struct.pack("IIIxxxxQ", endpoint, count, timeout_ms, ctypes.addressof(buffer)))
        try:
            return fcntl.ioctl(self.file, BULK, request)
        except OSError as error:
            raise UsbError(error.errno, os.strerror(error.errno)) from None

    def write(self, endpoint, data, timeout_ms=20_000):
        buffer = ctypes.create_string_buffer(data, len(data))
        self._bulk(endpoint, buffer, len(data), timeout_ms)

    def read(self, endpoint, count, timeout_ms=20_000):
        buffer = ctypes.create_string_buffer(count)
        got = self._bulk(endpoint, buffer, count, timeout_ms)
        return buffer.raw[:got]

    def port_has_power(self, port):
        """Of a USB 2.0 hub: what GetPortStatus says (USB 2.0, section 11.24.2.7)."""
        status = self.control_in(0xA3, 0, 0, port, 4)
        return bool(int.from_bytes(status[:2], "little") & 0x0100)

    def fails(self, endpoint, count, timeout_ms):
        """The name of the error that a read gives."""
        try:
            data = self.read(endpoint, count, timeout_ms)
        except UsbError as error:
            return error.name
        raise Failed(f"a read that should fail gave {len(data)} bytes")
