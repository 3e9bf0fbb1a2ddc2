"""The dock on real USB: what is plugged into a port is found, read, stored, and erased only by the
law. One dock serves these cases, as in a station: each has bays of its own."""

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import time

from guest import media
from guest.dock import CLIPS, PROGRAM, Dock
from guest.gadget import CardReader, Umtprd
from guest.rig import (HOST, Failed, Group, attribute, await_device, check, devices, equal, plug, run, unplug,
                       within, write, xhci_bus)
from simulated import camera as habit
from simulated import faults, ptp
from simulated.camera import Camera
from simulated.link import Link, unplug_all
from simulated.others import Network, TypingCamera

MODELS = ["46f4:0004", "46f4:0001", "1d6b:0100", "1209:bc01"]
# How long an officer may have to wait until the dock knows who came. The guest is an emulation
# on a busy machine, about twenty times slower than a dock.
KNOWN_WITHIN = 10
SIM_BAYS = 6
# What a busy machine does between a question to a camera's clock and its answer is in the offset.
CLOCK_WITHIN_MS = 20_000


def clips(serial, *sizes):
    """A card of the profile `clip-folders`, which may be erased."""
    return {CLIPS.format(serial=serial, number=at + 1): size for at, size in enumerate(sizes)}


class Station:
    """The dock of these cases, with what it stands on."""

    def __init__(self):
        shutil.rmtree("/run/dock-usb", ignore_errors=True)
        run("modprobe", "-a", "vhci-hcd", "dummy_hcd", "usb-storage", "sd_mod", "vfat", "exfat",
            "usbhid", "hid-generic", "cdc_ether")
        bus = xhci_bus()
        self.hub, self.rogue_hub = f"{bus}-5", f"{bus}-7"
        for name, port in (("hub", "5"), ("rogues", "7")):
            if f"{bus}-{port}" not in devices():
                plug("usb-hub", name, port, ports=4, port_power=True)
        await_device(self.hub)
        await_device(self.rogue_hub)
        dummy = f"{Umtprd.bus()}-1"
        ports = {
            "mtp2": f"{self.hub}.2", "mtp3": f"{self.hub}.3", "card": f"{bus}-6",
            "rogue": f"{self.rogue_hub}.1", "umtp": dummy,
        }
        ports |= {f"sim{at}": Link.path_of(at) for at in range(SIM_BAYS)}
        self.ports = ports
        models = ", ".join(f'"{model}"' for model in MODELS)
        bays = {name: f'port = "{port}"' for name, port in ports.items()}
        bays["sim0"] += "\nallow_erase = false"
        self.dock = Dock("usb", bays, f"[usb]\nmodels = [{models}]")

    def sim(self, at, serial, files, **more):
        """A simulated camera for a bay, and its folder."""
        folder = f"/run/{serial}"
        media.fill(folder, files)
        return Camera([folder], serial, **more), folder


_station = None


def on_the_dock(test):
    """Runs a case on the station's dock. What the case plugs in it must leave to the stack."""

    def case():
        global _station
        if _station is None:
            station = Station()
            station.dock.__enter__()
            _station = station
        elif _station.dock.daemon.poll() is not None:
            _station.dock.start()
        try:
            with contextlib.ExitStack() as stack:
                test(_station, stack)
        except BaseException:
            print(_station.dock.last_words())
            # What the record says of this case it shall not say of a later one.
            with contextlib.suppress(Failed):
                _station.dock.check_record()
            raise

    return case


def clear():
    """The station with its dock, and everything that was plugged in."""
    global _station
    if _station:
        _station.dock.end()
        _station = None
    unplug_all()


def mtp_plug(station, stack, port, name, folder, serial, readonly):
    plug("usb-mtp", name, port, rootdir=f"@HOST@/{folder}", serial=serial, desc="Bodycam",
         readonly=readonly)
    stack.callback(unplug, name)


# --- cameras of QEMU ---------------------------------------------------------------------------


def two_mtp(station, stack):
    """Two MTP cameras behind one hub at the same time; one of them lets nobody write."""
    dock = station.dock
    first = media.tree("mtp2", clips("BWC2", 6_000_000, 3_000_000))
    second = media.tree("mtp3", clips("BWC3", 4_000_000))
    wanted = {name: media.sums(f"{HOST}/{name}") for name in (first, second)}
    began = time.monotonic()
    mtp_plug(station, stack, "5.2", "mtp2", first, "BWC2", False)
    mtp_plug(station, stack, "5.3", "mtp3", second, "BWC3", True)
    dock.await_camera("mtp2", "BWC2", KNOWN_WITHIN)
    dock.await_camera("mtp3", "BWC3", KNOWN_WITHIN)
    print(f"        both known after {time.monotonic() - began:.1f} s")
    within(90, lambda: f"the first is emptied; {dock.bay('mtp2')}",
           lambda: not media.names(f"{HOST}/{first}"), every=0.3)
    dock.await_receipts("BWC3", 1)
    dock.camera_holds("BWC2", wanted[first])
    dock.camera_holds("BWC3", wanted[second])
    equal(media.sums(f"{HOST}/{second}"), wanted[second], "what the read-only camera holds")
    dock.check_record()


def hub_power(station, stack):
    """A camera whose port loses its power in the middle goes on where it was."""
    dock = station.dock
    folder = media.tree("mtp-power", clips("BWC4", 20_000_000))
    wanted = media.sums(f"{HOST}/{folder}")
    mtp_plug(station, stack, "5.3", "mtp4", folder, "BWC4", True)
    seen = lambda: dock.segments("BWC4")
    within(KNOWN_WITHIN, lambda: f"its file seen; {dock.bay('mtp3')}", seen)
    # By the kernel's switch: before uhubctl has started, all may be copied.
    power = f"/sys/bus/usb/devices/{station.hub}:1.0/{station.hub}-port3/disable"
    write(power, "1")
    dock.await_bay("mtp3", lambda bay: bay["camera"] is None, "empty", KNOWN_WITHIN)
    sealed = [fact for fact in dock.facts("sealed") if fact["segment"] in seen()]
    equal(sealed, [], "what was copied before the power went: nothing would be tested")
    write(power, "0")
    dock.await_camera("mtp3", "BWC4", KNOWN_WITHIN)
    dock.await_receipts("BWC4", 1)
    dock.camera_holds("BWC4", wanted)
    dock.check_record()


def cards(station, stack):
    """Cards in a reader: vfat that may be erased is; exFAT that lets nobody write is untouched."""
    dock = station.dock
    for kind, read_only in (("vfat", False), ("exfat", True)):
        serial = f"CARD{kind.upper()}"
        card = media.card(kind, clips(serial, 2_000_000, 700_000), name=f"usb.{kind}")
        image = media.sum_of(card.path)
        with media.Stick(card, "6", serial, read_only) as stick:
            dock.await_camera("card", serial, 20)
            dock.await_receipts(serial, 2)
            dock.camera_holds(serial, card.sums)
            if not read_only:
                dock.await_done()
            check(stick.block in media.disks(), "the card is gone")
        dock.await_bay("card", lambda bay: bay["camera"] is None, "empty", KNOWN_WITHIN)
        if read_only:
            equal(media.sum_of(card.path), image, f"hash of the whole {kind} image")
        else:
            equal(media.mounted_sums(card, kind), {}, "what is left on the card")
    dock.check_record()


def umtp(station, stack):
    """Debian's umtp-responder, with its habits: 2003 before a session, no listing of all stores."""
    dock = station.dock
    camera = stack.enter_context(Umtprd(clips("UMTP7", 3_000_000, 20_000), "UMTP0007"))
    wanted = media.sums(camera.files)
    equal(camera.port, station.ports["umtp"], "port of the gadget")
    dock.await_camera("umtp", "UMTP7", KNOWN_WITHIN)
    dock.await_receipts("UMTP7", 2)
    dock.camera_holds("UMTP7", wanted)
    within(60, lambda: f"emptied; {dock.bay('umtp')}", lambda: not media.names(camera.files))
    dock.check_record()


# --- the simulated camera ----------------------------------------------------------------------


def yank(station, stack):
    """Pulled in the middle and put back: reading goes on at that byte, and nothing is erased."""
    dock = station.dock
    camera, folder = station.sim(0, "YANK1", clips("YANK1", 6_000_000))
    wanted = media.sums(folder)
    stack.callback(camera.unplug)
    camera.link.vanish_after = 3_500_000
    camera.plug(0)
    within(30, lambda: f"the yank; {dock.bay('sim0')}", lambda: not camera.link.is_plugged())
    dock.await_bay("sim0", lambda bay: bay["camera"] is None, "empty", KNOWN_WITHIN)
    camera.log.clear()
    camera.plug(0)
    dock.await_receipts("YANK1", 1)
    offsets = [values[1] for code, values in camera.log
               if code in (ptp.GET_PARTIAL_OBJECT, ptp.GET_PARTIAL_OBJECT_64)]
    check(offsets and offsets[0] >= 2_000_000, f"reading went on at {offsets[:1]}, not at 3.5 MB")
    dock.camera_holds("YANK1", wanted)
    equal(media.sums(folder), wanted, "what the camera holds, of a bay that erases nothing")
    dock.check_record()


QUIRKS = [
    ("plain PTP without ranges", {habit.PLAIN_PTP, habit.NO_PARTIAL}),
    ("2003 before a session, ranges below 4 GiB only", {habit.INFO_NEEDS_SESSION, habit.NO_PARTIAL_64}),
    ("all stores at once hangs", {habit.ALL_STORES_HANGS}),
    ("the root is parent 0, headers apart", {habit.ROOT_IS_PARENT_0, habit.SPLIT_HEADER}),
    ("videos are listed as 0 bytes, battery by an enumeration", {habit.VIDEO_SIZE_0,
                                                                 habit.BATTERY_ENUM}),
]


def quirks(station, stack):
    """Habits of real cameras, one camera each, side by side."""
    dock = station.dock
    cameras = []
    for at, (words, habits) in enumerate(QUIRKS, start=1):
        files = clips(f"QUIRK{at}", 300_000, 512 * 100)
        camera, folder = station.sim(at, f"QUIRK{at}", files, quirks=habits)
        wanted = media.sums(folder)
        stack.callback(camera.unplug)
        camera.plug(at)
        cameras.append((f"QUIRK{at}", words, folder, wanted))
    for serial, words, folder, wanted in cameras:
        dock.await_receipts(serial, 2, words)
        dock.camera_holds(serial, wanted, words)
        within(60, lambda: f"{words}: emptied; {dock.bay('sim' + serial[-1])}",
               lambda: not media.names(folder))
    dock.check_record()


FAULTS = [
    ("stalls in its listing", lambda c: c.fault(faults.stall, ptp.GET_OBJECT_HANDLES)),
    ("stalls in the middle of data", lambda c: c.fault(faults.stall_after(70_000),
                                                       ptp.GET_PARTIAL_OBJECT_64)),
    ("sends less than it promised", lambda c: c.fault(faults.short(5000),
                                                      ptp.GET_PARTIAL_OBJECT_64)),
    ("crashes and comes back", lambda c: c.fault(faults.reset, ptp.GET_PARTIAL_OBJECT_64)),
    ("is busy for a while", lambda c: c.fault(faults.response(ptp.BUSY),
                                              ptp.GET_PARTIAL_OBJECT_64, times=2)),
]


def fault_each(station, stack):
    """A camera that fails once in some way is read in the end, and what is stored is true."""
    dock = station.dock
    cameras = []
    for at, (words, strike) in enumerate(FAULTS, start=1):
        camera, folder = station.sim(at, f"FAULT{at}", clips(f"FAULT{at}", 400_000))
        wanted = media.sums(folder)
        stack.callback(camera.unplug)
        strike(camera)
        camera.plug(at)
        cameras.append((f"FAULT{at}", words, wanted))
    for serial, words, wanted in cameras:
        dock.await_receipts(serial, 1, words, seconds=90)
        dock.camera_holds(serial, wanted, words)
    dock.check_record()


def one_wrong_bit(station, stack):
    """One wrong bit in the first read. Two later reads agree on other bytes: for all the dock can
    know these are other footage. Both are stored, a person is told, and the file is erased because
    two reads of what lies there agreed, and that is receipted."""
    dock = station.dock
    camera, folder = station.sim(1, "FLIP1", clips("FLIP1", 500_000))
    [name] = right = media.sums(folder)
    with open(f"{folder}/{name}", "rb") as file:
        wrong = bytearray(file.read())
    wrong[1000] ^= 0x10
    stack.callback(camera.unplug)
    camera.fault(faults.flip(1000), ptp.GET_PARTIAL_OBJECT_64)
    camera.plug(1)
    within(90, lambda: f"emptied; {dock.bay('sim1')}", lambda: not media.names(folder))
    dock.await_receipts("FLIP1", 2)
    wanted = [(name, right[name]), (name, hashlib.sha256(wrong).hexdigest())]
    equal(dock.stored("FLIP1"), sorted(wanted), "what is stored")
    first, second = dock.segments("FLIP1")
    changed = [fact["segment"] for fact in dock.facts("source_changed")]
    check(first in changed and second not in changed, f"the log says of {changed} that it changed")
    within(20, "one of them released",
           lambda: [fact["segment"] for fact in dock.facts("released")
                    if fact["segment"] in (first, second)])
    released = {fact["segment"] for fact in dock.facts("released")}
    check(second in released and first not in released, "the wrong one is said to be erased")
    dock.await_words("sim1", "red", "lies in its place")
    dock.check_record()


def never_agrees(station, stack):
    """Another wrong bit in each read: no two agree, so nothing is ever erased, and loudly so."""
    dock = station.dock
    camera, folder = station.sim(2, "FLIP2", clips("FLIP2", 400_000))
    wanted = media.sums(folder)
    stack.callback(camera.unplug)
    flips = faults.Flips()
    camera.fault(flips, ptp.GET_PARTIAL_OBJECT_64, times=10_000)
    for docking in (1, 2):
        before = flips.struck
        camera.plug(2)
        # The copy and two more reads; and one more in each docking.
        reads = 3 if docking == 1 else 1
        dock.await_bay(
            "sim2", lambda bay: bay["light"] == "red" and "read" in bay["words"]
            and flips.struck >= before + reads, f"red after {reads} reads", 90)
        camera.unplug()
        dock.await_bay("sim2", lambda bay: bay["camera"] is None, "empty", KNOWN_WITHIN)
    [segment] = dock.segments("FLIP2")
    reads = [fact["agrees"] for fact in dock.facts("second_read") if fact["segment"] == segment]
    check(reads and not any(reads), f"second reads are said to agree: {reads}")
    for kind in ("releasing", "source_changed"):
        found = [fact for fact in dock.facts(kind) if fact["segment"] == segment]
        equal(found, [], f"facts {kind}")
    equal(media.sums(folder), wanted, "what the camera holds")
    equal(camera.deleted, [], "what was erased")
    dock.check_record()


def over_4_gib(station, stack):
    """A file over 4 GiB, of which the camera's listing can only say ffffffff, has its true size."""
    dock = station.dock
    camera, folder = station.sim(3, "HUGE1", clips("HUGE1", 1000))
    name = f"{folder}/{CLIPS.format(serial='HUGE1', number=2)}"
    with open(name, "wb") as file:
        file.truncate((5 << 30) + 7)
    stack.callback(camera.unplug)
    camera.plug(3)
    dock.await_bay("sim3", lambda bay: bay["bytes"] == (5 << 30) + 1007, "5 GiB and 1007 bytes",
                   KNOWN_WITHIN)


def clock(station, stack):
    """The clock of a camera is measured before anything, recorded, and not set unless asked."""
    dock = station.dock
    camera, _ = station.sim(4, "CLOCK1", clips("CLOCK1", 2000), clock_offset_s=-7200)
    stack.callback(camera.unplug)
    camera.plug(4)
    dock.await_receipts("CLOCK1", 1)
    docked = [fact for fact in dock.facts("camera_docked") if fact["camera"] == "CLOCK1"]
    offset = docked[-1]["clock"]["camera_minus_dock_ms"]
    check(abs(offset + 7_200_000) < CLOCK_WITHIN_MS, f"the offset is said to be {offset} ms, not -7200000")
    equal(camera.clock_sets, [], "times the clock was set")


# --- who has no business here ------------------------------------------------------------------


def refused(dock, bay, seconds=KNOWN_WITHIN):
    """Waits until the bay refused what is in it; returns the fact."""
    dock.await_bay(bay, lambda report: report["light"] == "red", "red", seconds)
    return [fact for fact in dock.facts("security") if fact["bay"] == bay][-1]


def rogue_keyboard(station, stack):
    """A keyboard in a bay: refused, logged, kept from the kernel, and switched off."""
    dock = station.dock
    plug("usb-kbd", "keys", "7.1")
    stack.callback(unplug, "keys")
    fact = refused(dock, "rogue")
    check("keyboard" in fact["words"], f"the log does not say what it was: {fact}")
    words = within(5, "port 1 without power",
                   lambda: (out := run("uhubctl", "-l", station.rogue_hub, "-p", "1"))
                   and "Port 1: 0000 off" in out and out)
    check("0627:0001" not in words, f"the keyboard is still there: {words}")
    equal([fact["on"] for fact in dock.facts("port_switched") if fact["bay"] == "rogue"][:1], [False],
          "what the log says of the port's power")


def rogue_storage(station, stack):
    """Mass storage of a model that nobody named."""
    dock = station.dock
    card = media.card("vfat", {"autorun.inf": b"[autorun]\n"}, name="rogue.vfat")
    reader = stack.enter_context(CardReader(card, "ROGUE2", "0x1209", "0x0bad"))
    fact = refused(dock, "umtp", 20)
    check("1209:0bad" in fact["device"] or "1209:0bad" in fact["words"], f"the log says {fact}")
    within(5, "no disk of it", lambda: not reader.disks())


def rogue_composite(station, stack):
    """A camera that also types, and a network adapter, on a hub whose switch does nothing."""
    dock = station.dock
    media.fill("/run/ROGUE1", clips("ROGUE1", 1000))
    typing = TypingCamera(["/run/ROGUE1"], "ROGUE1")
    network = Network()
    for at, device in ((1, typing), (2, network)):
        stack.callback(device.unplug)
        device.plug(at)
    check("keyboard" in refused(dock, "sim1")["words"], "the log does not say that it types")
    check("network" in refused(dock, "sim2")["words"], "the log does not say what it was")
    # The trial of the switch made the devices come anew, and the kernel is quick to take them: no udev
    # rule is in force here. So it is waited for that the dock has taken them away from it again.
    ports = [station.ports[f"sim{at}"] for at in (1, 2)]
    within(20, lambda: f"no driver of the kernel on {ports}; there are {drivers(ports)}",
           lambda: [attribute(port, "authorized") for port in ports] == ["0", "0"]
           and not drivers(ports))
    equal(typing.log, [], "PTP commands that the typing camera was given")


def drivers(ports):
    """Which drivers the kernel has on the interfaces of these ports."""
    return [path for port in ports for path in glob.glob(f"/sys/bus/usb/devices/{port}:*/driver")]


def port_table(station, stack):
    """`bwvdock bays ports` says what uhubctl and lsusb say, of every hub, port and device."""
    folder = media.tree("mtp-table", {"a.mp4": 1000})
    mtp_plug(station, stack, "5.4", "mtp-table", folder, "BWC9", True)
    await_device(f"{station.hub}.4", "BWC9")
    # The dock switches ports meanwhile, to see what is in them: a picture counts if ours was the same
    # before and after it.
    def pictures():
        before, theirs, after = our_ports(), their_ports(), our_ports()
        return (before, theirs) if before == after else None

    (our_power, our_devices), (their_power, their_devices) = within(20, "a still picture", pictures)
    check(len(their_power) >= 8, f"uhubctl shows {their_power}")
    for port, states in their_power.items():
        # The kernel names a port by its bus; uhubctl only knows hubs that switch single ports.
        equal(our_power.get(port), states, f"power and connection of port {port}")
    equal(our_devices, their_devices, "devices, by bus, address and model")


def our_ports():
    """Port to (powered, connected), and the devices by bus, address and model."""
    power, found = {}, []
    for hub in json.loads(run(PROGRAM, "--json", "bays", "ports")):
        for port in hub["ports"]:
            power[port["port"]] = (port["powered"], port["connected"])
            if device := port.get("device"):
                found.append((int(device["port"].split("-")[0]), device["address"], device["id"]))
    return power, sorted(found)


def their_ports():
    """The same by uhubctl and lsusb."""
    return their_power(), sorted(
        (int(found[1]), int(found[2]), found[3])
        for found in re.finditer(r"Bus (\d+) Device (\d+): ID (\S+)", run("lsusb"))
        if not found[3].startswith("1d6b:000"))


def their_power(*arguments):
    """Port to (powered, connected), by uhubctl; of all hubs, or of those its arguments name."""
    power, prefix = {}, None
    for line in run("uhubctl", *arguments).splitlines():
        if found := re.match(r"Current status for hub (\S+) ", line):
            prefix = f"{found[1]}." if "-" in found[1] else f"{found[1]}-"
        elif found := re.match(r" +Port (\d+): [0-9a-f]{4}(.*)", line):
            words = found[2].split("[")[0].split()
            power[prefix + found[1]] = ("power" in words, "connect" in words)
    return power


def after_all(station, stack):
    """At the end: the log is whole, the daemon never died, and stops as it should."""
    dock = station.dock
    dock.check_record()
    dock.stop()
    equal(dock.daemon.returncode, 0, "exit status of the daemon")


GROUP = Group([(f"usb: {words}", on_the_dock(test)) for words, test in [
    ("two MTP cameras behind a hub; the read-only one stays untouched", two_mtp),
    ("hub power lost in the middle of a transfer", hub_power),
    ("cards with vfat and exFAT", cards),
    ("umtp-responder", umtp),
    ("pulled in the middle of a transfer, and put back", yank),
    ("habits of real cameras", quirks),
    ("cameras that fail once", fault_each),
    ("one wrong bit is stored beside the right ones, and a person is told", one_wrong_bit),
    ("what no two reads agree on is never erased", never_agrees),
    ("a file over 4 GiB is listed with its true size", over_4_gib),
    ("the camera's clock is measured and not set", clock),
    ("a keyboard is refused, logged and switched off", rogue_keyboard),
    ("mass storage of an unknown model is refused", rogue_storage),
    ("a camera that types and a network adapter are refused", rogue_composite),
    ("the table of ports is what uhubctl and lsusb say", port_table),
    ("the log is whole, and the daemon stops as it should", after_all),
]], clear)
