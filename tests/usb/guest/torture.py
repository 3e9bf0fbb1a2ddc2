"""Cameras pulled at a hundred random moments, and responders that are out for trouble. A dock of
its own, so that what it is left with can be measured."""

import os
import random
import time

from guest import media
from guest.dock import Dock
from guest.rig import Group, check, equal, read, run, within
from guest.usb_cases import clips
from simulated import faults
from simulated.camera import Camera
from simulated.link import Link, unplug_all

BAYS = 4
YANKS = 100
PULLS_SECONDS_MAX = 300
# After a camera is pulled its bay must be free within this: the longest a transfer may wait.
FREE_WITHIN = 30
# So many wrong answers are given, by as many responders as it takes; fewer on a busy machine.
WRONG_ANSWERS = 60
WRONG_ANSWERS_MIN = 10
FUZZ_SECONDS_MAX = 30
GROWTH_BYTES_MAX = 96 << 20


def dock(name):
    run("modprobe", "vhci-hcd")
    bays = {f"sim{at}": f'port = "{Link.path_of(at)}"' for at in range(BAYS)}
    return Dock(name, bays, '[usb]\nmodels = ["1209:bc01"]\nrevive = false')


def resident_bytes(of_dock):
    for line in read(f"/proc/{of_dock.daemon.pid}/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


def all_free(of_dock):
    return all(bay.get("camera") is None for bay in of_dock.ask("status")["bays"])


def at_rest(of_dock):
    """Open files and threads with nothing plugged in, when they have stopped changing."""
    within(FREE_WITHIN, "all bays free", lambda: all_free(of_dock), every=0.2)
    last = None

    def steady():
        nonlocal last
        before, last = last, of_dock.footprint()
        return before == last

    within(20, "open files and threads to settle", steady, every=0.5)
    return last


def yanks():
    """Each of four cameras is pulled after a random number of bytes, and again, and again."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"        seed {seed}")
    chance = random.Random(seed)
    with dock("yanks") as of_dock:
        cameras = []
        for at in range(BAYS):
            folder, serial = f"/run/TORN{at}", f"TORN{at}"
            media.fill(folder, clips(serial, 1_500_000, 900_000, 1_100_000))
            cameras.append((Camera([folder], serial), folder, media.sums(folder)))
        # Warm: what a first docking leaves behind for good is no leak.
        for at, (camera, _, _) in enumerate(cameras):
            camera.link.vanish_after = 3000
            camera.plug(at)
        within(30, "the first pull", lambda: not any(c.link.is_plugged() for c, _, _ in cameras))
        before = at_rest(of_dock)
        pulled = 0
        end = time.monotonic() + PULLS_SECONDS_MAX
        while pulled < YANKS:
            check(time.monotonic() < end, f"only {pulled} pulls in time")
            check(of_dock.daemon.poll() is None, f"the daemon ended: {of_dock.last_words()}")
            for at, (camera, _, _) in enumerate(cameras):
                if not camera.link.is_plugged():
                    # Anywhere from the first answer to a good piece of footage.
                    camera.link.vanish_after = int(10 ** chance.uniform(1, 5.6))
                    camera.plug(at)
                    pulled += 1
            time.sleep(0.02)
        for camera, _, _ in cameras:
            camera.unplug()
        at_rest(of_dock)
        within(20, lambda: f"as few open files and threads as before, {before}, and two more; there "
                           f"are {of_dock.footprint()}",
               lambda: all(now <= was + 2 for now, was in zip(of_dock.footprint(), before)), every=0.5)
        for at, (camera, _, _) in enumerate(cameras):
            camera.plug(at)
        for at, (camera, folder, wanted) in enumerate(cameras):
            serial = f"TORN{at}"
            of_dock.await_receipts(serial, 3, seconds=90)
            of_dock.camera_holds(serial, wanted)
            within(60, lambda: f"emptied; {of_dock.bay(f'sim{at}')}",
                   lambda: not media.names(folder))
            camera.unplug()
        of_dock.check_record()
        of_dock.stop()
        equal(of_dock.daemon.returncode, 0, "exit status of the daemon")


def fuzz():
    """Random, truncated, oversized and out-of-order containers, endless data, halts."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"        first seed {seed}")
    with dock("fuzz") as of_dock:
        folders = [f"/run/FUZZ{at}" for at in range(BAYS)]
        for at, folder in enumerate(folders):
            media.fill(folder, clips(f"FUZZ{at}", 200_000))
        start = resident_bytes(of_dock)
        cameras, struck, wild = 0, 0, [None] * BAYS
        end = time.monotonic() + FUZZ_SECONDS_MAX
        while struck < WRONG_ANSWERS and time.monotonic() < end:
            check(of_dock.daemon.poll() is None, f"the daemon ended: {of_dock.last_words()}")
            for at, one in enumerate(wild):
                # What was given a wrong answer, and then let alone, has done what it can; so has
                # what was lucky until there was nothing more to ask.
                if one and one[0].silence_s() < (0.5 if one[1].struck else 2):
                    continue
                if one:
                    struck += one[1].struck
                    one[0].unplug()
                camera = Camera([folders[at]], f"FUZZ{at}")
                fuzzer = faults.Fuzz(seed + cameras, chance=0.1)
                cameras += 1
                camera.fault(fuzzer, times=1_000_000)
                camera.plug(at)
                wild[at] = (camera, fuzzer)
            time.sleep(0.05)
        for camera, _ in wild:
            camera.unplug()
        within(FREE_WITHIN, lambda: f"all bays free; {of_dock.ask('status')['bays']}",
               lambda: all_free(of_dock), every=0.2)
        grown = resident_bytes(of_dock) - start
        print(f"        {struck} wrong answers by {cameras} cameras; the daemon grew by "
              f"{grown >> 20} MiB")
        check(grown < GROWTH_BYTES_MAX, f"the daemon grew by {grown} bytes")
        media.fill("/run/FUZZ2", clips("HONEST", 200_000))
        check(struck >= WRONG_ANSWERS_MIN, "that is too little to say anything")
        honest = Camera(["/run/FUZZ2"], "HONEST")
        wanted = media.sums("/run/FUZZ2")
        honest.plug(0)
        try:
            of_dock.await_receipts("HONEST", 1)
            of_dock.camera_holds("HONEST", wanted)
        finally:
            honest.unplug()
        of_dock.check_record(lying=True)
        of_dock.stop()
        equal(of_dock.daemon.returncode, 0, "exit status of the daemon")


# Two groups: what one leaves behind must not be blamed on the other.
GROUPS = [
    Group([("torture: a hundred pulls at random moments", yanks)], clear=unplug_all),
    Group([("torture: responders that are out for trouble", fuzz)], clear=unplug_all),
]
