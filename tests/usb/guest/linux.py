"""The rig itself, without the dock: what the other cases stand on is really there."""

import os

from guest import media
from guest.gadget import Umtprd
from guest.rig import (Group, attribute, await_device, await_gone, check, devices, equal, plug, read, run,
                       unplug, xhci_bus)


def boots():
    uptime = float(read("/proc/uptime").split()[0])
    print(f"        the guest is up after {uptime:.1f} s")
    check(xhci_bus() > 0, "no bus")
    equal(devices(), {}, "devices at start")
    words = run("lsusb")
    check("1d6b:0002" in words and "1d6b:0003" in words, f"the root hubs are not in: {words}")


def mtp_behind_hub():
    """Two MTP cameras behind a hub that switches power, seen, switched off and on."""
    bus = xhci_bus()
    tree = media.tree("linux-mtp", {"DCIM/100TEST/a.mp4": 300_000})
    plug("usb-hub", "hub", "5", ports=4, port_power=True)
    hub = f"{bus}-5"
    await_device(hub)
    for number in (2, 3):
        plug("usb-mtp", f"mtp{number}", f"5.{number}", rootdir=f"@HOST@/{tree}",
             serial=f"BWC000{number}", desc="Bodycam", readonly=True)
        await_device(f"{hub}.{number}", f"BWC000{number}")
    equal(attribute(f"{hub}.2", "idVendor"), "46f4", "vendor of usb-mtp")
    words = run("uhubctl", "-l", hub)
    check("ppps" in words, f"uhubctl sees no per-port power: {words}")
    check("Port 2: 0103" in words and "46f4:0004" in words, f"uhubctl sees no camera: {words}")
    run("uhubctl", "-l", hub, "-p", "2", "-a", "off")
    await_gone(f"{hub}.2")
    check(f"{hub}.3" in devices(), "the other port lost its power too")
    run("uhubctl", "-l", hub, "-p", "2", "-a", "on")
    await_device(f"{hub}.2", "BWC0002")
    unplug("mtp2")
    await_gone(f"{hub}.2")
    unplug("mtp3")
    unplug("hub")
    await_gone(hub)


def storage():
    """Cards: Linux finds the file system that was made, and a card that lets nobody write."""
    run("modprobe", "-a", "usb-storage", "sd_mod", "vfat", "exfat")
    for kind in ("vfat", "exfat"):
        card = media.card(kind, {"DCIM/100TEST/a.mp4": 200_000})
        with media.Stick(card, port="6", serial=f"CARD-{kind}", read_only=True) as stick:
            equal(read(f"/sys/block/{stick.block}/ro"), "1", f"{kind}: read-only")
            at = f"/run/{kind}"
            os.makedirs(at)
            run("mount", "-o", "ro,noexec,nosuid,nodev", "-t", kind, f"/dev/{stick.block}", at)
            equal(media.sums(at), card.sums, f"{kind}: hashes of files")
            run("umount", at)


def gadget_mtp():
    """Debian's umtp-responder, which knows nothing of us, and Debian's MTP client."""
    with Umtprd({"DCIM/100TEST/a.mp4": 100_000}, serial="UMTP0001") as camera:
        await_device(camera.port, "UMTP0001")
        words = run("mtp-detect")
        check("UMTP0001" in words or "umtp" in words.lower(), f"mtp-detect: {words}")
        camera.unplug()
        await_gone(camera.port)
        # It is not plugged in again: umtprd does not always get over what mtp-detect asks it.


GROUP = Group([
    ("linux: boots with an xHCI controller and nothing in it", boots),
    ("linux: two MTP cameras behind a hub with port power; uhubctl agrees", mtp_behind_hub),
    ("linux: cards with vfat and exFAT, read-only", storage),
    ("linux: umtp-responder on a gadget, asked by mtp-detect", gadget_mtp),
])
