"""The guest's run: every case, or those whose name contains a line of /host/cases."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from guest import harness_cases, linux, simulated_cases, torture, usb_cases  # noqa: E402
from guest.rig import HOST, read, run, run_cases  # noqa: E402

GROUPS = [linux.GROUP, simulated_cases.GROUP, harness_cases.GROUP, usb_cases.GROUP, *torture.GROUPS]

if __name__ == "__main__":
    run("modprobe", "xhci-pci")
    sys.exit(min(run_cases(GROUPS, read(f"{HOST}/cases").splitlines()), 99))
