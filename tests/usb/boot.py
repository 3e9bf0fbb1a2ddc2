#!/usr/bin/env python3
"""Boots the guest, does what it asks of QEMU, prints what it says, and ends when it ends.

    boot.py RIG HOST SECONDS_MAX CLOCK [CASE...]

RIG is the folder that `prepare` filled. HOST is a folder that the guest sees as /host. CLOCK is how
time passes for the guest: `real`, or `jumps`. The guest
asks by a line on its serial port, `@@QMP NUMBER {json}`; the answer is put into HOST/qmp/NUMBER.
`@HOST@` in a request stands for HOST as QEMU sees it. The guest ends with `@@END STATUS`.

Exit status: that of the guest; 70 if it ended without one; 124 if the time is over.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

REQUEST = re.compile(r"@@QMP (\d+) (\{.*\})")
END = re.compile(r"@@END (\d+)")


class Qmp:
    """The one connection to QEMU's monitor."""

    def __init__(self, path, process):
        end = time.monotonic() + 20
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self.socket.close()
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("QEMU did not open its monitor") from None
                time.sleep(0.01)
        self.socket.settimeout(20)
        self.lines = self.socket.makefile("rw")
        self.lines.readline()
        self.ask({"execute": "qmp_capabilities"})

    def ask(self, request):
        self.lines.write(json.dumps(request) + "\n")
        self.lines.flush()
        while True:
            answer = json.loads(self.lines.readline())
            if "event" not in answer:
                return answer


# QEMU's command line for the guest's time. With `jumps` a guest in which nobody has anything to do is
# at once where the next thing happens, so that hours of waiting take seconds: nothing in it knows.
# What waits for the machine outside (a disk image, QMP) sees time fly meanwhile.
CLOCKS = {
    "real": ["-accel", "tcg", "-smp", "2"],
    "jumps": ["-accel", "tcg,thread=single", "-icount", "shift=2,sleep=off", "-smp", "1"],
}


def command(rig, repository, host, monitor, clock):
    """QEMU's command line. Always TCG: where /dev/kvm is there it need not work."""

    def share(tag, path, *more):
        lent = f"local,path={path.replace(',', ',,')},mount_tag={tag},security_model=none"
        return ["-virtfs", ",".join([lent, "multidevs=remap", *more])]

    return [
        "qemu-system-x86_64", "-M", "q35", *CLOCKS[clock], "-m", "1536",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-kernel", f"{rig}/kernel", "-initrd", f"{rig}/initrd",
        "-append", "console=ttyS0 loglevel=1 panic=-1 mitigations=off "
        "usb-storage.delay_use=0",
        *share("root", "/", "readonly=on"),
        *share("repo", repository, "readonly=on"),
        *share("host", host),
        "-device", "qemu-xhci,id=xhci,p2=8,p3=8",
        "-object", "rng-builtin,id=rng", "-device", "virtio-rng-pci,rng=rng",
        "-qmp", f"unix:{monitor},server=on,wait=off",
    ]


def answer(qmp, host, number, text):
    request = json.loads(text.replace("@HOST@", host))
    try:
        reply = qmp.ask(request)
    except (OSError, ValueError) as error:
        reply = {"error": {"class": "Driver", "desc": str(error)}}
    path = f"{host}/qmp/{number}"
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(reply, file)
    os.rename(path + ".new", path)


def watch(process, qmp, host):
    """Reads the serial line to its end and returns the guest's status, or None."""
    status = None
    for raw in process.stdout:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if found := REQUEST.search(line):
            answer(qmp, host, found[1], found[2])
        elif found := END.search(line):
            status = int(found[1])
        elif line:
            print(line, flush=True)
    return status


def main(rig, host, seconds_max, clock, cases):
    repository = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
    host = os.path.realpath(host)
    shutil.rmtree(f"{host}/qmp", ignore_errors=True)
    os.makedirs(f"{host}/qmp")
    with open(f"{host}/cases", "w", encoding="utf-8") as file:
        file.write("\n".join(cases))
    with open(f"{host}/clock", "w", encoding="utf-8") as file:
        file.write(clock)
    over = threading.Event()
    with tempfile.TemporaryDirectory(prefix="bwv-usb-", dir="/tmp") as folder:
        monitor = f"{folder}/qmp"
        process = subprocess.Popen(
            command(rig, repository, host, monitor, clock),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )

        def stop(*_):
            over.set()
            process.kill()

        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, stop)
        limit = threading.Timer(seconds_max, stop)
        limit.start()
        try:
            status = watch(process, Qmp(monitor, process), host)
        finally:
            limit.cancel()
            process.kill()
            process.wait()
    if over.is_set():
        print(f"the guest was stopped after {seconds_max} s")
        return 124
    if status is None:
        print("the guest ended without a verdict")
        return 70
    return status


if __name__ == "__main__":
    rig, host, seconds_max, clock, *cases = sys.argv[1:]
    sys.exit(main(os.path.realpath(rig), host, float(seconds_max), clock, cases))
