"""The simulated devices, without the dock: Linux and clients that are not ours believe in them."""

import contextlib
import glob
import os
import re
import time

from guest import media
from guest.powered import Socket
from guest.rig import Group, attribute, await_device, await_gone, check, equal, run, within, write
from guest.usbfs import Usb, UsbError
from simulated import faults, ptp
from simulated.camera import BULK_IN, BULK_OUT, EVENT_IN, Camera
from simulated.link import unplug_all
from simulated.others import Keyboard, Network, TypingCamera


def unplugged(test):
    """Whatever happens, nothing stays plugged in."""

    def case():
        run("modprobe", "vhci-hcd")
        with contextlib.ExitStack() as stack:
            test(lambda device: stack.callback(device.unplug) and device)

    return case


def clients(uses):
    """libmtp finds name, battery and files of a simulated camera, and reads them."""
    folder = "/run/simcam"
    media.fill(folder, {"DCIM/100TEST/a.mp4": 1_500_000, "DCIM/100TEST/b.jpg": 70_000})
    camera = uses(Camera([folder], "SIM-0001", battery=40))
    port = camera.plug()
    await_device(port, "SIM-0001")
    words = run("lsusb", "-v", "-d", "1209:bc01")
    for wanted in ("SIM-0001", "EP 3 IN", "Interrupt"):
        check(wanted in words, f"lsusb -v does not say {wanted!r}: {words}")
    check(re.search(r"bInterfaceClass +6 ", words), f"lsusb -v sees no still image class: {words}")
    words = run("mtp-detect")
    check("SIM-0001" in words and "Battery level 40 of 100" in words, f"mtp-detect: {words}")
    words = run("mtp-files")
    for name in ("a.mp4", "b.jpg"):
        number = re.search(rf"File ID: (\d+)\n +Filename: {name}", words)
        check(number, f"mtp-files does not list {name}: {words}")
        run("mtp-getfile", number[1], f"/run/{name}")
        equal(media.sum_of(f"/run/{name}"), media.sums(folder)[f"DCIM/100TEST/{name}"], name)
    camera.unplug()
    await_gone(port)


def pending(uses):
    """URBs wait: a read without an answer times out, a stall is a stall, a yank ends at once."""
    folder = "/run/pending"
    media.fill(folder, {"a.mp4": 3_000_000})
    camera = uses(Camera([folder], "SIM-0002"))
    port = camera.plug()
    await_device(port, "SIM-0002")
    with Usb(port) as usb:
        usb.claim(0)
        usb.write(BULK_OUT, ptp.container(ptp.COMMAND, ptp.OPEN_SESSION, 1, ptp.parameters(1)))
        equal(usb.read(BULK_IN, 512)[6:8], b"\x01\x20", "response to OpenSession")
        began = time.monotonic()
        equal(usb.fails(EVENT_IN, 64, 300), "ETIMEDOUT", "a read of no event")
        check(time.monotonic() - began >= 0.3, "the time-out came early")
        camera.event(ptp.OBJECT_ADDED, 7)
        equal(len(usb.read(EVENT_IN, 64)), 16, "bytes of an event")
        camera.fault(faults.stall)
        usb.write(BULK_OUT, ptp.container(ptp.COMMAND, ptp.GET_STORAGE_IDS, 2))
        equal(usb.fails(BULK_IN, 512, 20_000), "EPIPE", "a read of a stalled camera")
        equal(usb.fails(BULK_IN, 512, 20_000), "EPIPE", "another")
        usb.clear_halt(BULK_IN)
        usb.write(BULK_OUT, ptp.container(ptp.COMMAND, ptp.GET_OBJECT_HANDLES, 3,
                                          ptp.parameters(0xFFFFFFFF, 0, 0xFFFFFFFF)))
        handles = usb.read(BULK_IN, 512)
        equal(handles[12:16], b"\1\0\0\0", "number of objects")
        usb.read(BULK_IN, 512)
        camera.link.vanish_after = camera.link.sent + 1_000_000
        usb.write(BULK_OUT, ptp.container(ptp.COMMAND, ptp.GET_OBJECT, 4, handles[16:20]))
        got = 0
        try:
            while got < 3_000_000:
                got += len(usb.read(BULK_IN, 65536))
        except UsbError as error:
            check(error.name in ("ENODEV", "EPROTO", "ESHUTDOWN"), f"a yank gives {error.name}")
        check(900_000 <= got <= 1_000_000, f"pulled after {got} bytes instead of 1000000")
    await_gone(port)
    camera.plug()
    await_device(port, "SIM-0002")
    camera.unplug()
    await_gone(port)


def others(uses):
    """Linux would use them all, if it were let."""
    run("modprobe", "-a", "usbhid", "hid-generic", "cdc_ether")
    keys, network = uses(Keyboard()), uses(Network())
    typing = uses(TypingCamera(["/run/pending"], "SIM-0003"))
    ports = [each.plug(at) for at, each in enumerate((keys, network, typing))]
    for port, each in zip(ports, (keys, network, typing)):
        await_device(port, each.strings[3])
    within(10, "two keyboards", lambda: len(glob.glob("/sys/class/input/input*/id")) >= 2)
    within(10, "a network interface", lambda: glob.glob(f"/sys/bus/usb/devices/{ports[1]}:1.0/net/*"))
    equal(attribute(ports[2], "bNumInterfaces"), "2", "interfaces of the typing camera")
    for each in (keys, network, typing):
        each.unplug()
    for port in ports:
        await_gone(port)


def powered(uses):
    """A simulated camera starts afresh when its port gets its power back."""
    camera = uses(Camera(["/run/pending"], "SIM-0004"))
    with Socket(camera, 3) as socket:
        port = socket.port
        await_device(port, "SIM-0004")
        before = attribute(port, "devnum")
        bus, number = port.split("-")
        disable = f"/sys/bus/usb/devices/{bus}-0:1.0/usb{bus}-port{number}/disable"
        write(disable, "1")
        await_gone(port)
        within(5, "no power", lambda: not socket.powered)
        write(disable, "0")
        await_device(port, "SIM-0004")
        within(5, "a cold start", lambda: socket.cycles == 1)
        within(10, "a new address", lambda: attribute(port, "devnum") not in (None, before))
    await_gone(port)


GROUP = Group([
    ("simulated: libmtp and lsusb believe in the camera", unplugged(clients)),
    ("simulated: time-outs, stalls and yanks are real", unplugged(pending)),
    ("simulated: a port's power is the camera's power", unplugged(powered)),
    ("simulated: keyboard, network adapter, camera that types", unplugged(others)),
], clear=unplug_all)
