"""Descriptors, and the requests that every device answers (USB 2.0, chapter 9)."""

import struct

from simulated.link import Link, Stall

Endpoint = tuple  # (address, attributes, packet size, interval)
BULK, INTERRUPT = 2, 3


class Interface:
    """One setting of an interface: class triple, endpoints, and its class's own descriptors."""

    def __init__(self, triple, endpoints, extra=b"", number=None, setting=0, name=0):
        self.triple = triple
        self.endpoints = endpoints
        self.extra = extra
        self.number = number
        self.setting = setting
        self.name = name  # index of its string

    def descriptor(self, number):
        number = self.number if self.number is not None else number
        text = struct.pack("<9B", 9, 4, number, self.setting, len(self.endpoints), *self.triple,
                           self.name)
        text += self.extra
        for address, attributes, packet, interval in self.endpoints:
            text += struct.pack("<BBBBHB", 7, 5, address, attributes, packet, interval)
        return text


class Device:
    """A device with one configuration. `link` plugs it in."""

    speed = "high"

    def __init__(self, vendor, product, serial, interfaces, maker="Rig", name="Simulated",
                 device_class=(0, 0, 0)):
        self.vendor = vendor
        self.product = product
        self.strings = {1: maker, 2: name, 3: serial}
        self.interfaces = interfaces
        self.device_class = device_class
        self.in_endpoints = {
            at: packet for each in interfaces for at, _, packet, _ in each.endpoints if at & 0x80
        }
        self.link = None
        self.configured = 0
        Link(self)

    def plug(self, rhport=0):
        self.configured = 0
        return self.link.plug(rhport)

    def unplug(self):
        self.link.unplug()

    # --- chapter 9 -----------------------------------------------------------------------------

    def descriptor(self, kind, index):
        if kind == 1:
            serial = 3 if self.strings[3] else 0
            return struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, *self.device_class, 64, self.vendor,
                               self.product, 0x0100, 1, 2, serial, 1)
        if kind == 2 and index == 0:
            body = b"".join(each.descriptor(at) for at, each in enumerate(self.interfaces))
            count = len({e.number if e.number is not None else at
                         for at, e in enumerate(self.interfaces)})
            return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), count, 1, 0, 0x80, 250) + body
        if kind == 3:
            if index == 0:
                return struct.pack("<BBH", 4, 3, 0x0409)
            text = self.strings.get(index, "").encode("utf-16-le")[:252]
            return struct.pack("<BB", 2 + len(text), 3) + text
        raise Stall

    def control(self, setup, data):
        kind, request, value, index, length = struct.unpack("<BBHHH", setup)
        if kind & 0x60:
            return self.class_request(kind, request, value, index, length, data)
        if request == 6 and kind == 0x80:
            return self.descriptor(value >> 8, value & 0xFF)
        if request == 6:
            return self.interface_descriptor(value >> 8, index)
        if request == 8:
            return bytes([self.configured])
        if request == 9:
            self.configured = value
        elif request == 0:
            return b"\0\0"
        elif request == 10:
            return b"\0"
        elif request not in (1, 3, 11):
            raise Stall
        return b""

    def interface_descriptor(self, kind, index):
        raise Stall

    def class_request(self, kind, request, value, index, length, data):
        raise Stall

    def received(self, endpoint, data):
        """Data of an OUT endpoint."""

    def cleared(self, endpoint):
        """The host cleared a halt."""
