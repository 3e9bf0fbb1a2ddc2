"""Devices that have no business in a bay."""

import struct

from simulated.camera import Camera, still_image
from simulated.device import BULK, INTERRUPT, Device, Interface
from simulated.link import Stall

# USB HID 1.11, appendix B.1: the boot keyboard.
KEYBOARD_REPORT = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810195057501050819012905910295017503"
    "910195067508150025650507190029658100c0")


def keyboard_interface(endpoint=0x84, number=None):
    hid = struct.pack("<BBHBBBH", 9, 0x21, 0x0111, 0, 1, 0x22, len(KEYBOARD_REPORT))
    return Interface((3, 1, 1), [(endpoint, INTERRUPT, 8, 4)], hid, number)


class _WithKeys:
    """The requests of the HID class, and a way to type."""

    keys_at = 0x84

    def interface_descriptor(self, kind, index):
        if kind == 0x22:
            return KEYBOARD_REPORT
        raise Stall

    def class_request(self, kind, request, value, index, length, data):
        if kind == 0x21 and request in (0x09, 0x0A, 0x0B):  # SET_REPORT, SET_IDLE, SET_PROTOCOL
            return b""
        return super().class_request(kind, request, value, index, length, data)

    def press(self, usage):
        self.link.send(self.keys_at, bytes([0, 0, usage, 0, 0, 0, 0, 0]))
        self.link.send(self.keys_at, bytes(8))


class Keyboard(_WithKeys, Device):
    """A boot keyboard: what a "BadUSB" stick says it is."""

    def __init__(self, serial="KEYS0001", vendor=0x1209, product=0x0BAD):
        super().__init__(vendor, product, serial, [keyboard_interface()], name="Keyboard")


class TypingCamera(_WithKeys, Camera):
    """A camera with one interface too many: it also types."""

    def __init__(self, folders, serial, **more):
        both = [still_image(), keyboard_interface()]
        super().__init__(folders, serial, interfaces=both, **more)


class Network(Device):
    """A CDC ECM network adapter (USB CDC 1.2, ECM 1.2)."""

    def __init__(self, serial="NETW0001", vendor=0x1209, product=0x0BAE):
        union = struct.pack("<BBBH", 5, 0x24, 0, 0x0120) + bytes([5, 0x24, 6, 0, 1])
        ether = struct.pack("<BBBBIHHB", 13, 0x24, 0x0F, 4, 0, 1514, 0, 0)
        super().__init__(vendor, product, serial, [
            Interface((2, 6, 0), [(0x83, INTERRUPT, 16, 9)], union + ether, number=0),
            Interface((10, 0, 0), [], number=1),
            Interface((10, 0, 0), [(0x81, BULK, 512, 0), (0x02, BULK, 512, 0)], number=1, setting=1),
        ], name="Network", device_class=(2, 0, 0))
        self.strings[4] = "021122334455"

    def class_request(self, kind, request, value, index, length, data):
        if kind == 0x21 and request == 0x43:  # SET_ETHERNET_PACKET_FILTER
            return b""
        raise Stall
