"""A port of vhci_hcd whose camera is cold-started when the power comes back.

vhci_hcd notes the power of its ports, and lets devices live on without it: a hub that lies. With a
`Socket` round the simulated camera the device leaves the bus and starts afresh when power returns.
It does not leave when the power goes: the kernel would see that as news of the port and, as it does
for any hub, switch the power on again."""

import threading

from guest.usbfs import Usb


class Socket:
    def __init__(self, device, rhport):
        self.device = device
        self.rhport = rhport
        self.over = threading.Event()
        self.powered = True
        self.cycles = 0  # how often the power came back
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self.port = self.device.plug(self.rhport)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)
        self.device.unplug()

    def _watch(self):
        with Usb(f"usb{self.port.split('-')[0]}") as hub:
            while not self.over.wait(0.03):
                now = hub.port_has_power(self.rhport + 1)
                if now and not self.powered:
                    self.device.faults.clear()
                    self.device.unplug()
                    self.device.plug(self.rhport)
                    self.cycles += 1
                self.powered = now
