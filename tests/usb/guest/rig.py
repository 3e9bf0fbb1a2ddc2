"""What the cases share: checks that count, waits with a limit, and requests to QEMU."""

import glob
import json
import os
import subprocess
import sys
import time
import traceback

HOST = "/host"
# Limits are for what never comes. They are long because the machine may be slow and have other
# things to do; what has to be quick is measured, and says so.
PATIENCE = 3
BEGAN = time.monotonic()


class Failed(Exception):
    """A check that does not hold; its words say what was expected and what was found."""


def check(holds, words):
    """Fails the case unless it holds."""
    if not holds:
        raise Failed(words)


def equal(found, wanted, what):
    check(found == wanted, f"{what}: expected {wanted!r}, found {found!r}")


def within(seconds, what, condition, every=0.05):
    """Waits until `condition` gives something true, and returns that. Fails after `seconds`, times
    PATIENCE.

    `what` says what is waited for: words, or a function that gives words at the end.
    """
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            words = what() if callable(what) else what
            raise Failed(f"not within {seconds} s: {words}")
        time.sleep(every)


def run(*command, status=0, seconds=60, text=True):
    """Runs a tool to its end and returns its output; fails if it ends otherwise than expected."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=text,
            timeout=seconds * PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"not within {seconds * PATIENCE} s: {' '.join(command)}") from None
    if status is not None and done.returncode != status:
        raise Failed(
            f"{' '.join(command)}: exit status {done.returncode} instead of {status}: "
            f"{done.stdout}{done.stderr}"
        )
    return done.stdout


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


# --- QEMU --------------------------------------------------------------------------------------

_requests = 0


def qmp(execute, **arguments):
    """Asks QEMU, and returns what it answers. `_` in a name stands for QMP's `-`."""
    global _requests
    _requests += 1
    arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
    request = json.dumps({"execute": execute, "arguments": arguments})
    # A line of its own, whatever the kernel says on the same port.
    sys.stdout.write(f"\n@@QMP {_requests} {request}\n")
    sys.stdout.flush()
    path = f"{HOST}/qmp/{_requests}"
    within(20, f"QEMU's answer to {request}", lambda: os.path.exists(path), every=0.01)
    reply = json.loads(read(path))
    check("error" not in reply, f"QEMU refuses {request}: {reply.get('error')}")
    return reply["return"]


def plug(driver, name, port, bus="xhci.0", **properties):
    """Plugs a device of QEMU into a port: `5` of the root hub, `5.2` of the hub in it."""
    qmp("device_add", driver=driver, id=name, bus=bus, port=port, **properties)


def unplug(name):
    qmp("device_del", id=name)


# --- the kernel's view -------------------------------------------------------------------------


def devices():
    """Every USB device but the root hubs: its port path, such as `1-5.2`, to its sysfs folder."""
    found = {}
    for path in glob.glob("/sys/bus/usb/devices/*"):
        name = os.path.basename(path)
        if ":" not in name and not name.startswith("usb"):
            found[name] = path
    return found


def attribute(port, name):
    """What sysfs says about the device in a port, or None if it is not there."""
    try:
        return read(f"/sys/bus/usb/devices/{port}/{name}")
    except OSError:
        return None


def await_device(port, serial=None, seconds=10):
    """Waits until the kernel has a configured device in this port."""

    def there():
        if serial is not None and attribute(port, "serial") != serial:
            return False
        return attribute(port, "bConfigurationValue")

    within(seconds, lambda: f"a device {serial or ''} in {port}; there are {sorted(devices())}",
           there)


def await_gone(port, seconds=10):
    within(seconds, f"nothing in {port}", lambda: port not in devices())


def xhci_bus():
    """The number of the High-speed bus of QEMU's controller."""
    for path in glob.glob("/sys/bus/pci/drivers/xhci_hcd/*/usb*"):
        if read(f"{path}/speed") == "480":
            return int(read(f"{path}/busnum"))
    raise Failed("QEMU's xHCI controller is not there")


# --- the run -----------------------------------------------------------------------------------


def kernel_lines():
    return run("dmesg", status=None).splitlines()


def kernel_words(since):
    """What the kernel said since it had said so many lines; the last of it."""
    return "\n".join(f"        {line}" for line in kernel_lines()[since:][-15:])


class Group:
    """Cases that follow each other on the same ground. `clear` leaves nothing of them behind,
    whatever became of them: no process, nothing plugged in. The next group starts from there."""

    def __init__(self, cases, clear=lambda: None):
        self.cases = cases
        self.clear = clear


def chosen(group, only):
    """The cases of a group whose name contains one of these words; all if there are none."""
    return [case for case in group.cases if not only or any(word in case[0] for word in only)]


def run_cases(groups, only):
    """Runs (name, function) in order and prints one line each. Returns how many failed."""
    passed = failed = 0
    for group in groups:
        cases = chosen(group, only)
        for name, function in cases:
            holds = run_case(name, function)
            passed, failed = passed + holds, failed + (not holds)
        if cases and not run_case("", group.clear):
            failed += 1
    if passed + failed == 0:
        print(f"no case has a name with {only}")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return failed


def run_case(name, function):
    """Runs one; without a name only what goes wrong is printed."""
    began, said = time.monotonic(), len(kernel_lines())
    word = "ok    "
    try:
        function()
    except Exception as error:  # a case that breaks has failed, whatever broke it
        word, name = "FAILED", name or "to clear up"
        print(f"        {error}" if isinstance(error, Failed) else traceback.format_exc())
        print(kernel_words(said))
    if name:
        print(f"{word}  {time.monotonic() - began:6.1f} s  {name}")
    return word != "FAILED"
