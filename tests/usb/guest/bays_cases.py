"""Which camera is in which bay, and what it says of itself: bays learnt by plugging, a camera that
moves, two that go by one name, one that comes back, clocks that are set, cards that are broken."""

import contextlib
import os
import re
import subprocess
import threading
import time

from guest import media
from guest.dock import PROGRAM, Dock, prepare
from guest.gadget import Umtprd
from guest.rig import (HOST, Failed, Group, await_device, check, equal, plug, read, run, unplug,
                       within, write, xhci_bus)
from guest.usb_cases import CLOCK_WITHIN_MS, KNOWN_WITHIN, clips
from simulated import faults, ptp
from simulated.camera import Camera
from simulated.link import Link, unplug_all

SIM_BAYS = 5
SYNCHRONISED = "/run/systemd/timesync/synchronized"
READS = (ptp.GET_OBJECT, ptp.GET_PARTIAL_OBJECT, ptp.GET_PARTIAL_OBJECT_64)
# What the outcome asks of reading through the camera door, as a fraction of a bare GetObject.
RATIO = {"BWVDOCK_USB_RATIO": "0.9"}
# A daemon has a few seconds for cameras at work; the rest is for a slow machine.
STOPPED_WITHIN = 15

_dock = _short = None


def on_the_dock(test):
    def case():
        global _dock
        if _dock is None:
            run("modprobe", "-a", "vhci-hcd", "usb-storage", "sd_mod", "vfat")
            bays = {f"b{at}": f'port = "{Link.path_of(at)}"' for at in range(SIM_BAYS)}
            bays |= {"card": f'port = "{xhci_bus()}-6"', "short": f'port = "{xhci_bus()}-7"'}
            _dock = Dock("bays", bays, '[usb]\nmodels = ["1209:bc01", "46f4:0001"]',
                         cameras="set_clock = true")
            _dock.__enter__()
            insert_short_card()
        elif _dock.daemon.poll() is not None:
            _dock.start()
        try:
            with contextlib.ExitStack() as stack:
                test(_dock, stack)
        except BaseException:
            print(_dock.last_words())
            with contextlib.suppress(Failed):
                _dock.check_record()
            raise

    return case


def clear():
    global _dock
    if _dock:
        _dock.end()
        _dock = None
    if _short:
        _short.unplug()
    unplug_all()


def camera(stack, serial, files, folder=None, **more):
    """A simulated camera, which the end of the case takes out, and its folder."""
    folder = folder or f"/run/{serial}"
    media.fill(folder, files)
    one = Camera([folder], serial, **more)
    stack.callback(one.unplug)
    return one, folder


def reads(of_camera):
    """Where reading began, in order."""
    return [values[1] for code, values in of_camera.log if code in READS[1:]]


def of_camera(dock, kind, serial):
    return [fact for fact in dock.facts(kind) if fact["camera"] == serial]


def await_finding(dock, serial, *words):
    """Waits until the log says all this of a camera's card."""
    said = lambda: str(of_camera(dock, "camera_findings", serial))
    within(20, lambda: f"{words}; the log says {said()}",
           lambda: all(each in said() for each in words))


# --- learning ----------------------------------------------------------------------------------


def learn():
    """`bays learn` asks for a device in each bay, and writes the port where it came."""
    run("modprobe", "vhci-hcd")
    prepare()
    config = "/run/learn.toml"
    write(config, '# the sergeant\'s own words\n[[bays]]\nname = "left"  # by the door\n'
                  'port = "9-9"\n')
    media.fill("/run/LEARN", {"a.mp4": 1000})
    cameras = [Camera(["/run/LEARN"], f"LEARN{at}") for at in (0, 1)]
    ports = [Link.path_of(3), Link.path_of(1)]
    cameras[1].plug(2)  # what is plugged in already says nothing
    await_device(Link.path_of(2), "LEARN1")
    asking = subprocess.Popen(
        [PROGRAM, "--socket", "/run/nobody.sock", "bays", "learn", "--config", config,
         "--bays", "left,right"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    listener = threading.Thread(target=lambda: said.extend(iter(asking.stderr.readline, "")))
    listener.start()
    try:
        within(20, lambda: f"a question for left: {said}",
               lambda: any("into bay left" in words for words in said))
        cameras[0].plug(3)
        within(20, lambda: f"a question for right: {said}",
               lambda: any("into bay right" in words for words in said))
        cameras[1].unplug()
        cameras[1].plug(1)
        equal(asking.wait(60), 0, f"exit status of bays learn, which said {said}")
    finally:
        asking.kill()
        asking.wait()
        listener.join()
        for each in cameras:
            each.unplug()
    text = read(config)
    found = re.findall(r'name = "(\w+)"[^\[]*?port = "([\d.-]+)"', text)
    equal(found, [("left", ports[0]), ("right", ports[1])], "what was learnt")
    check("sergeant" in text and "by the door" in text, f"comments are gone: {text}")


# --- who is it ---------------------------------------------------------------------------------


def another_bay(dock, stack):
    """Pulled in the middle and put into another bay: it is the same camera, and goes on there."""
    one, folder = camera(stack, "MOVES1", clips("MOVES1", 6_000_000))
    wanted = media.sums(folder)
    one.link.vanish_after = 3_500_000
    one.plug(0)
    within(30, lambda: f"the pull; {dock.bay('b0')}", lambda: not one.link.is_plugged())
    dock.await_bay("b0", lambda bay: bay["camera"] is None, "empty", KNOWN_WITHIN)
    one.log.clear()
    one.plug(1)
    dock.await_camera("b1", "MOVES1", KNOWN_WITHIN)
    within(60, lambda: f"emptied; {dock.bay('b1')}", lambda: not media.names(folder))
    check(reads(one)[0] >= 2_000_000, f"reading went on at {reads(one)[:1]}, not at 3.5 MB")
    dock.camera_holds("MOVES1", wanted)
    equal([fact["bay"] for fact in of_camera(dock, "camera_docked", "MOVES1")], ["b0", "b1"],
          "bays it was docked in")
    dock.check_record()


def twins(dock, stack):
    """Two cameras with one serial: the one that came first is believed, also after restarts; of the
    other nothing is read until the first is out."""
    first, folder = camera(stack, "TWIN1", clips("TWIN1", 300_000), "/run/TWIN1a")
    wanted = media.sums(folder)
    other = {name.replace("_001", "_009"): size for name, size in clips("TWIN1", 250_000).items()}
    second, other_folder = camera(stack, "TWIN1", other, "/run/TWIN1b")
    wanted |= media.sums(other_folder)
    first.plug(3)
    dock.await_camera("b3", "TWIN1", KNOWN_WITHIN)
    second.plug(1)

    def refused():
        dock.await_words("b1", "red", "is in bay b3 too")
        equal(dock.bay("b3")["camera"], "TWIN1", "who is believed")

    refused()
    for _ in range(2):
        dock.stop()
        dock.start()
        dock.await_camera("b3", "TWIN1", 20)
        refused()
    equal([code for code, _ in second.log if code in READS], [], "reads of the one not believed")
    within(60, lambda: f"the first emptied; {dock.bay('b3')}", lambda: not media.names(folder))
    first.unplug()
    dock.await_camera("b1", "TWIN1", 20)
    within(60, lambda: f"the second emptied; {dock.bay('b1')}",
           lambda: not media.names(other_folder))
    dock.camera_holds("TWIN1", wanted)
    dock.check_record()


def comes_back(dock, stack):
    """Leaves the bus in the middle of a copy and is back at once, with new handles, perhaps before
    anybody has seen it go: another docking, in which reading goes on where it was."""
    one, folder = camera(stack, "AGAIN1", clips("AGAIN1", 6_000_000))
    wanted = media.sums(folder)
    one.link.vanish_after = 3_500_000
    one.plug(2)
    within(30, lambda: f"that it leaves; {dock.bay('b2')}", lambda: not one.link.is_plugged(),
           every=0.005)
    one.log.clear()
    one.plug(2)
    within(60, lambda: f"emptied; {dock.bay('b2')}", lambda: not media.names(folder))
    check(reads(one)[0] >= 2_000_000, f"reading went on at {reads(one)[:1]}, not at 3.5 MB")
    equal(len(of_camera(dock, "camera_docked", "AGAIN1")), 2, "dockings")
    dock.camera_holds("AGAIN1", wanted)
    dock.check_record()


def set_clock(dock, stack):
    """Set only while the dock's own clock is synchronised; before that, and after it, both offsets
    are in the log."""
    one, _ = camera(stack, "SETS1", clips("SETS1", 2000), clock_offset_s=-7200)
    one.plug(4)
    dock.await_receipts("SETS1", 1)
    equal(one.clock_sets, [], "times the clock was set by a dock that is not synchronised")
    equal(of_camera(dock, "clock_setting", "SETS1"), [], "what the log says was set")
    one.unplug()
    dock.await_bay("b4", lambda bay: bay["camera"] is None, "empty", KNOWN_WITHIN)
    os.makedirs(os.path.dirname(SYNCHRONISED), exist_ok=True)
    write(SYNCHRONISED, "")
    stack.callback(os.remove, SYNCHRONISED)
    one.plug(4)
    [done] = within(30, lambda: f"the clock set; {dock.bay('b4')}",
                    lambda: of_camera(dock, "clock_set", "SETS1"))
    [setting] = of_camera(dock, "clock_setting", "SETS1")
    before, after = (fact["camera_minus_dock_ms"] for fact in (setting["before"], done["after"]))
    check(abs(before + 7_200_000) < CLOCK_WITHIN_MS, f"before it was off by {before} ms, not -7200000")
    check(abs(after) < CLOCK_WITHIN_MS, f"afterwards it is off by {after} ms")
    equal(len(one.clock_sets), 1, "times the clock was set")
    order = [fact["type"] for fact in dock.facts("camera_docked", "clock_setting", "clock_set")
             if fact["camera"] == "SETS1"]
    equal(order, ["camera_docked", "camera_docked", "clock_setting", "clock_set"], "the log's order")
    measured = of_camera(dock, "camera_docked", "SETS1")[-1]["clock"]
    check(measured["dock_synchronised"], f"the offset is said to be measured so: {measured}")


# --- broken cards ------------------------------------------------------------------------------


def dirty_card(dock, stack):
    """A card that was not closed: its camera was switched off while it wrote."""
    card = media.card("vfat", clips("DIRTY1", 700_000, 200_000), name="dirty.vfat")
    with open(card.path, "r+b") as image:
        boot = image.read(512)
        fat = int.from_bytes(boot[14:16], "little") * 512
        image.seek(fat + 4)
        mark = int.from_bytes(image.read(4), "little") & ~0x0800_0000
        image.seek(fat + 4)
        image.write(mark.to_bytes(4, "little"))
    with media.Stick(card, "6", "DIRTY1", read_only=False):
        dock.await_camera("card", "DIRTY1", 20)
        dock.await_receipts("DIRTY1", 2)
        dock.camera_holds("DIRTY1", card.sums)
        await_finding(dock, "DIRTY1", "not unmounted properly")
    dock.await_bay("card", lambda bay: bay["camera"] is None, "empty", KNOWN_WITHIN)
    dock.check_record()


def insert_short_card():
    """A card whose second half is not there. It is read again and again before the dock is sure;
    the other cases run meanwhile."""
    global _short
    card = media.card("vfat", clips("SHORT1", 2_000_000, 3_000_000), name="short.vfat")
    os.truncate(card.path, 4 << 20)
    _short = media.Stick(card, "7", "SHORT1", read_only=False)
    _short.plug()


def short_card(dock, stack):
    """What can be read of it is stored, what is not whole is kept apart, and nothing is erased."""
    image = media.sum_of(_short.card.path)
    verdicts = {}

    def judged():
        paths = {fact["segment"]["id"]: fact["segment"]["source"]["path"]
                 for fact in dock.facts("segment_seen") if fact["segment"]["camera"] == "SHORT1"}
        verdicts.update({paths[fact["segment"]]: fact["verdict"] for fact in dock.facts("sealed")
                         if fact["segment"] in paths})
        return len(verdicts) == 2

    within(90, lambda: f"both judged: {verdicts}; {dock.bay('short')}", judged)
    dock.await_receipts("SHORT1", 2)
    whole, half = sorted(_short.card.sums)
    equal(verdicts, {whole: "unverified", half: "unreadable"}, "verdicts")
    stored = dict(dock.stored("SHORT1"))
    equal(stored[whole], _short.card.sums[whole], "the file that is whole")
    dock.await_light("short", "red", 30)
    await_finding(dock, "SHORT1", half, "beyond the card's end")
    equal(media.sum_of(_short.card.path), image, "hash of the whole image")
    dock.check_record()


# --- stopping ----------------------------------------------------------------------------------


def stops(dock, stack):
    """A camera that never answers does not hold up the end of the daemon."""
    one, _ = camera(stack, "HANGS1", clips("HANGS1", 1000))
    one.fault(faults.silent, times=10_000)
    one.plug(0)
    within(20, "the first question to the camera", lambda: one.log)
    began = time.monotonic()
    dock.stop()
    took = time.monotonic() - began
    print(f"        stopped after {took:.1f} s")
    check(took < STOPPED_WITHIN, f"the daemon took {took:.1f} s to stop")
    equal(dock.daemon.returncode, 0, "exit status of the daemon")
    dock.check_record()


# --- the camera door alone -----------------------------------------------------------------------


def door(stack, port, folder, erase, test="a_real_responder_is_listed_read_and_erased", **more):
    """One of the tests of the camera door that want a real responder, in a process of its own."""
    names = {"BWVDOCK_USB_PORT": port, "BWVDOCK_USB_FOLDER": folder, "BWVDOCK_USB_ERASE": erase}
    for name, value in (names | more).items():
        os.environ[name] = value
        stack.callback(os.environ.pop, name)
    return [f"{HOST}/lib-tests", "--ignored", "--exact", "--nocapture",
            f"camera::ptp::tests::guest::{test}"]


def run_door(command):
    words = run(*command, seconds=120)
    check("1 passed" in words, f"it did not run: {words}")
    return words


def door_on_usb_mtp():
    """The camera door on QEMU's camera: listing, reading from anywhere, cancelling, erasing; and
    reading in parts is as fast as one bare transfer."""
    bus = xhci_bus()
    for readonly, erase, size, more in ((False, "allowed", 40_000_000, RATIO),
                                        (True, "refused", 3_000_000, {})):
        folder = media.tree(f"door-{erase}", clips("DOOR", size, 70_000, 512))
        with contextlib.ExitStack() as stack:
            plug("usb-mtp", "door", "4", rootdir=f"@HOST@/{folder}", serial="DOOR", desc="Bodycam",
                 readonly=readonly)
            stack.callback(unplug, "door")
            await_device(f"{bus}-4", "DOOR")
            words = run_door(door(stack, f"{bus}-4", f"{HOST}/{folder}", erase, **more))
        for line in re.findall("rate in parts.*", words):
            print(f"        {line}")


def door_on_umtp():
    """The same on Debian's umtp-responder."""
    with contextlib.ExitStack() as stack:
        umtp = stack.enter_context(Umtprd(clips("DOORU", 3_000_000, 20_000), "DOORU001"))
        await_device(umtp.port, "DOORU001")
        run_door(door(stack, umtp.port, umtp.files, "allowed"))


def door_pulled():
    """Pulled while the door reads: gone within seconds, and nothing hangs."""
    run("modprobe", "vhci-hcd")
    with contextlib.ExitStack() as stack:
        one, folder = camera(stack, "DOORP", clips("DOORP", 9_000_000))
        port = one.plug(0)
        await_device(port, "DOORP")
        reading = "/run/door-reading"
        command = door(stack, port, folder, "refused",
                       "a_real_camera_that_is_pulled_is_gone_within_seconds",
                       BWVDOCK_USB_READING=reading)
        going = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        stack.callback(going.wait)
        stack.callback(going.kill)
        within(30, "that it reads", lambda: os.path.exists(reading) or going.poll() is not None)
        one.unplug()
        words = going.communicate(timeout=120)[0]
        check(going.returncode == 0 and "1 passed" in words, f"it says {words}")


GROUPS = [
    Group([
        ("bays: learnt by plugging something into each", learn),
        ("bays: the camera door on QEMU's camera", door_on_usb_mtp),
        ("bays: the camera door on umtp-responder", door_on_umtp),
        ("bays: the camera door on a camera that is pulled", door_pulled),
    ], clear=unplug_all),
    Group([(f"bays: {words}", on_the_dock(test)) for words, test in [
        ("a camera pulled in the middle goes on in another bay", another_bay),
        ("two cameras with one serial, and restarts", twins),
        ("a camera that comes back in the middle of a copy", comes_back),
        ("a clock is set by a synchronised dock only, and logged", set_clock),
        ("a card that was not closed", dirty_card),
        ("a card that ends too early", short_card),
        ("a camera that hangs holds up no stop", stops),
    ]], clear=clear),
]
