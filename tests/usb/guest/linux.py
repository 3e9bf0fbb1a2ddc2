"""The rig itself, without the dock: what the other cases stand on is really there."""

import os
import time

from guest.rig import (HOST, attribute, await_device, await_gone, check, devices, equal, plug, read,
                       run, unplug, within, xhci_bus)


def boots():
    uptime = float(read("/proc/uptime").split()[0])
    print(f"        the guest is up after {uptime:.1f} s")
    check(xhci_bus() > 0, "no bus")
    equal(devices(), {}, "devices at start")


def lists():
    words = run("lsusb")
    check("1d6b:0002" in words and "1d6b:0003" in words, f"the root hubs are not in: {words}")


CASES = [
    ("linux: boots with an xHCI controller and nothing in it", boots),
    ("linux: lsusb runs", lists),
]
