"""What is a matter of time, in a guest whose clock counts instructions: 250 million a second, which a
Raspberry Pi does several times over, however busy the machine is that plays the guest. Waits cost
nothing there."""

import datetime
import os

from guest import media
from guest.dock import Dock
from guest.powered import Socket
from guest.rig import (HOST, Group, attribute, await_device, check, devices, plug, run, unplug,
                       within, xhci_bus)
from guest.usb_cases import clips
from simulated import faults, ptp
from simulated.camera import Camera
from simulated.link import Link, unplug_all

KNOWN_WITHIN_S = 1.0
FILES = 20


def arrival(port):
    """When the kernel had found what is in a port: since then its node is there."""
    node = "/dev/bus/usb/%03d/%03d" % (int(attribute(port, "busnum")), int(attribute(port, "devnum")))
    return os.stat(node).st_ctime


def soon():
    """Two cameras at once, twice: in the bays of one hub, and of different ports."""
    run("modprobe", "vhci-hcd")
    bus = xhci_bus()
    if f"{bus}-5" not in devices():
        plug("usb-hub", "hub", "5", ports=4, port_power=True)
    await_device(f"{bus}-5")
    bays = {"h2": f"{bus}-5.2", "h3": f"{bus}-5.3", "s0": Link.path_of(0), "s1": Link.path_of(1)}
    with Dock("known", {bay: f'port = "{port}"' for bay, port in bays.items()},
              '[usb]\nmodels = ["46f4:0004", "1209:bc01"]') as dock:
        took = []
        for number in (2, 3):
            tree = media.tree(f"known{number}", many(f"KNOWN{number}"))
            plug("usb-mtp", f"known{number}", f"5.{number}", rootdir=f"@HOST@/{tree}",
                 serial=f"KNOWN{number}", desc="Bodycam", readonly=True)
        took += [docked(dock, f"KNOWN{number}", bays[f"h{number}"]) for number in (2, 3)]
        cameras = []
        for number in (0, 1):
            media.fill(f"/run/SOON{number}", many(f"SOON{number}"))
            cameras.append(Camera([f"/run/SOON{number}"], f"SOON{number}"))
        for number, camera in enumerate(cameras):
            camera.plug(number)
        took += [docked(dock, f"SOON{number}", bays[f"s{number}"]) for number in (0, 1)]
        for camera in cameras:
            camera.unplug()
        for number in (2, 3):
            unplug(f"known{number}")
        dock.check_record()
        print(f"        known after {', '.join(f'{each:.2f}' for each in took)} s")
        check(max(took) < KNOWN_WITHIN_S, f"it took {max(took):.2f} s to know who came")


def many(serial):
    return {name.replace("/clip", f"/clip_{at}"): 2000 for at in range(FILES)
            for name in clips(serial, 2000)}


def docked(dock, serial, port):
    """Seconds from the kernel's word that a device is there to the dock's that it is this camera."""
    def known():
        return [at for at, fact in dock.dated("camera_docked") if fact["camera"] == serial]

    [at] = within(60, lambda: f"{serial} docked; {dock.ask('status')['bays']}", known, every=0.2)
    return datetime.datetime.fromisoformat(at).timestamp() - arrival(port)


def wedged():
    """A camera that has stopped answering is revived by its port's power, after many waits."""
    run("modprobe", "vhci-hcd")
    with Dock("wedged", {"sim": f'port = "{Link.path_of(0)}"'},
              '[usb]\nmodels = ["1209:bc01"]') as dock:
        media.fill("/run/WEDGE1", clips("WEDGE1", 900_000))
        wanted = media.sums("/run/WEDGE1")
        camera = Camera(["/run/WEDGE1"], "WEDGE1")
        camera.fault(faults.dries_up(100_000), ptp.GET_PARTIAL_OBJECT_64)
        camera.fault(faults.silent, times=10_000)
        with Socket(camera, 0) as socket:
            within(300, lambda: f"a cycle of the port; {dock.bay('sim')}",
                   lambda: socket.cycles > 0, every=2)
            dock.await_receipts("WEDGE1", 1, seconds=300)
            dock.camera_holds("WEDGE1", wanted)
        switched = [(fact["on"], fact["bay"]) for fact in dock.facts("port_switched")]
        check((False, "sim") in switched and (True, "sim") in switched, f"the log has {switched}")
        dock.check_record()


def clear():
    unplug_all()
    if f"{xhci_bus()}-5" in devices():
        unplug("hub")


GROUP = Group([
    ("known: who came, within a second", soon),
    ("known: a wedged camera is revived by its port's power", wedged),
], clear)
