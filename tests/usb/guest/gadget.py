"""A camera by Debian's umtp-responder: real MTP, not ours, on Linux's own gadget side."""

import os
import shutil
import subprocess

from guest import media
from guest.rig import check, run, within, write

CONFIGFS = "/sys/kernel/config"
CONFIG = """loop_on_disconnect 1
storage "{folder}" "Internal" "{mode}"
manufacturer "Rig"
product "umtp camera"
serial "{serial}"
firmware_version "1.0"
interface "MTP"
usb_vendor_id 0x1D6B
usb_product_id 0x0100
usb_class 0x6
usb_subclass 0x1
usb_protocol 0x1
usb_dev_version 0x3008
usb_functionfs_mode 0x1
usb_dev_path "/dev/ffs-mtp/ep0"
usb_epin_path "/dev/ffs-mtp/ep1"
usb_epout_path "/dev/ffs-mtp/ep2"
usb_epint_path "/dev/ffs-mtp/ep3"
usb_max_packet_size 0x200
"""


class Umtprd:
    """umtprd with a folder of its own, plugged into dummy_hcd's port."""

    def __init__(self, files, serial, read_only=False):
        self.folder = "/run/umtprd"
        shutil.rmtree(self.folder, ignore_errors=True)
        media.fill(self.folder, files)
        self.serial = serial
        self.mode = "ro" if read_only else "rw"
        self.gadget = f"{CONFIGFS}/usb_gadget/umtp"
        self.process = None
        self.port = None

    def __enter__(self):
        run("modprobe", "-a", "configfs", "dummy_hcd", "libcomposite", "usb_f_fs")
        if not os.path.isdir(f"{CONFIGFS}/usb_gadget"):
            run("mount", "-t", "configfs", "none", CONFIGFS)
        self._describe()
        os.makedirs("/etc/umtprd", exist_ok=True)
        write("/etc/umtprd/umtprd.conf",
              CONFIG.format(folder=self.folder, mode=self.mode, serial=self.serial))
        os.makedirs("/dev/ffs-mtp", exist_ok=True)
        run("mount", "-t", "functionfs", "mtp", "/dev/ffs-mtp")
        with open("/run/umtprd.log", "wb") as log:
            self.process = subprocess.Popen(["umtprd"], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        within(10, "umtprd's endpoints", lambda: os.path.exists("/dev/ffs-mtp/ep3"))
        self.plug()
        self.port = f"{self._bus()}-1"
        return self

    def __exit__(self, *_):
        self.unplug()
        self.process.kill()
        self.process.wait()
        run("umount", "/dev/ffs-mtp")
        for path in ("configs/c.1/ffs.mtp", "configs/c.1/strings/0x409", "configs/c.1",
                     "functions/ffs.mtp", "strings/0x409", ""):
            full = f"{self.gadget}/{path}"
            os.remove(full) if os.path.islink(full) else os.rmdir(full)

    def _describe(self):
        gadget = self.gadget
        for folder in ("", "/strings/0x409", "/configs/c.1/strings/0x409", "/functions/ffs.mtp"):
            os.makedirs(gadget + folder, exist_ok=True)
        for name, value in {
            "idVendor": "0x1d6b", "idProduct": "0x0100", "strings/0x409/serialnumber": self.serial,
            "strings/0x409/manufacturer": "Rig", "strings/0x409/product": "umtp camera",
            "configs/c.1/MaxPower": "120",
        }.items():
            write(f"{gadget}/{name}", value)
        os.symlink(f"{gadget}/functions/ffs.mtp", f"{gadget}/configs/c.1/ffs.mtp")

    @staticmethod
    def _bus():
        folder = "/sys/devices/platform/dummy_hcd.0"
        buses = [name for name in os.listdir(folder) if name.startswith("usb")]
        check(len(buses) == 1, f"dummy_hcd has the buses {buses}")
        return buses[0].removeprefix("usb")

    def plug(self):
        write(f"{self.gadget}/UDC", "dummy_udc.0")

    def unplug(self):
        """What the kernel calls an empty name is a line end."""
        try:
            write(f"{self.gadget}/UDC", "\n")
        except OSError:
            pass  # it is not plugged in
