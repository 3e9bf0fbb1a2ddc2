"""The guest's run: every case for the clock it has, or those whose name contains a line of
/host/cases. `main.py --list CLOCK [WORD...]`, anywhere, prints the names of those cases."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from guest import (bays_cases, charging_cases, harness_cases, known_cases, linux,  # noqa: E402
                   simulated_cases, torture, usb_cases)
from guest.rig import HOST, chosen, read, run, run_cases  # noqa: E402

GROUPS = {
    "real": [linux.GROUP, simulated_cases.GROUP, harness_cases.GROUP, *bays_cases.GROUPS,
             usb_cases.GROUP, *torture.GROUPS],
    "jumps": [known_cases.GROUP, charging_cases.GROUP],
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--list"]:
        for group in GROUPS[sys.argv[2]]:
            for name, _ in chosen(group, sys.argv[3:]):
                print(name)
        sys.exit()
    run("modprobe", "xhci-pci")
    cases = read(f"{HOST}/cases").splitlines()
    sys.exit(min(run_cases(GROUPS[read(f"{HOST}/clock")], cases), 99))
