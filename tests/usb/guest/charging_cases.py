"""Charging on real ports, in a guest whose clock jumps. What is said of power is uhubctl's word, which
knows nothing of the dock."""

import contextlib
import re

from guest.dock import Dock
from guest.gadget import Umtprd
from guest.rig import Group, check, equal, run
from guest.usb_cases import clips, their_power

GATE = 80
CHARGING = f"""[charging]
gate_percent = {GATE}
battery_poll_seconds = 30
[usb]
models = ["1d6b:0100"]"""
# An officer's screen may be one battery_poll_seconds and one turn behind, and the machine slow.
TOLD_WITHIN = 90


class Station:
    """A dock with a camera whose battery we set."""

    def __init__(self):
        run("modprobe", "dummy_hcd")
        self.ports = {"umtp": f"{Umtprd.bus()}-1"}
        self.dock = Dock("charge", {bay: f'port = "{port}"' for bay, port in self.ports.items()},
                         CHARGING)
        self.dock.__enter__()
        self.umtp = Umtprd(clips("UMTPB", 60_000), "UMTPB")
        self.umtp.__enter__()

    def clear(self):
        self.dock.end()
        with contextlib.suppress(OSError):
            self.umtp.__exit__()

    def powered(self, *bays):
        """Which of these bays, on one hub, have power by uhubctl's word."""
        hub = re.sub(r"[.-]\d+$", "", self.ports[bays[0]])
        power = their_power("-l", hub)
        return {bay for bay in bays if power[self.ports[bay]][0]}


_station = None


def on_the_dock(test):
    """Runs a case on the station. What the case plugs in it must leave to the stack."""

    def case():
        global _station
        _station = _station or Station()
        try:
            with contextlib.ExitStack() as stack:
                test(_station, stack)
                _station.dock.check_record()
        except BaseException:
            print(_station.dock.last_words())
            raise

    return case


def clear():
    global _station
    if _station:
        _station.clear()
        _station = None


# --- the gate ----------------------------------------------------------------------------------


def gate(station, stack):
    """umtp-responder's battery (property 5001) decides whether its camera is ready. What it gives
    by itself is no percentage, and is not taken for one."""
    dock = station.dock
    dock.await_camera("umtp", "UMTPB")
    dock.await_receipts("UMTPB", 1)
    report = dock.await_words("umtp", "green", "take it", TOLD_WITHIN)
    equal(report["charge"].get("percent"), None, "percentage of a battery that gives 8000 hex")
    equal(report["charge"]["words"], "does not say how full it is", "words")
    for percent, light, words, fitness in [
        (43, "amber", f"not fit for a shift yet: battery 43 %, a shift needs {GATE} %", "not_yet"),
        (GATE - 1, "amber", f"battery {GATE - 1} %, a shift needs {GATE} %", "not_yet"),
        (GATE, "green", "take it", "fit"),
        (GATE - 2, "green", "take it", "fit"),  # a wobble of two points takes nobody's camera
        (GATE - 20, "amber", f"battery {GATE - 20} %", "not_yet"),
    ]:
        station.umtp.set_battery(percent)
        def told(bay, percent=percent, light=light, words=words, fitness=fitness):
            charge = bay["charge"]
            return ((charge.get("percent"), charge["fitness"], bay["light"])
                    == (percent, fitness, light) and words in bay["words"])

        dock.await_bay("umtp", told, f"{percent} %, {fitness}, {light}: {words}", TOLD_WITHIN)
    check(station.powered("umtp"), "its port lost its power for that")


GROUP = Group([(f"charge: {words}", on_the_dock(test)) for words, test in [
    ("umtp-responder's battery decides whether its camera is ready", gate),
]], clear)
