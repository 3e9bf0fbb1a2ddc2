"""Devices by Linux's own gadget side, on dummy_hcd: Debian's umtp-responder, which is real MTP and
not ours, and a card reader with any vendor and product number."""

import glob
import os
import shutil
import subprocess

from guest import media
from guest.rig import Failed, check, equal, read, run, within, write

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


class Gadget:
    """One function, described in configfs and plugged into dummy_hcd's only port."""

    def __init__(self, name, function, vendor, product, serial):
        self.folder = f"{CONFIGFS}/usb_gadget/{name}"
        self.name, self.function = name, function
        self.vendor, self.product, self.serial = vendor, product, serial
        self.port = None

    def __enter__(self):
        run("modprobe", "-a", "configfs", "dummy_hcd", "libcomposite", "usb_f_fs",
            "usb_f_mass_storage")
        if not os.path.isdir(f"{CONFIGFS}/usb_gadget"):
            run("mount", "-t", "configfs", "none", CONFIGFS)
        self._describe()
        self.prepare()
        self.plug()
        self.port = f"{self.bus()}-1"
        return self

    def __exit__(self, *_):
        self.unplug()
        self.clean_up()
        for path in (f"configs/c.1/{self.function}", "configs/c.1/strings/0x409", "configs/c.1",
                     f"functions/{self.function}", "strings/0x409", ""):
            full = f"{self.folder}/{path}"
            if os.path.islink(full):
                os.remove(full)
            else:
                os.rmdir(full)

    def prepare(self):
        """What the function needs before it is plugged in."""

    def clean_up(self):
        """What it needed, ended."""

    def _describe(self):
        for folder in ("", "/strings/0x409", "/configs/c.1/strings/0x409",
                       f"/functions/{self.function}"):
            os.makedirs(self.folder + folder, exist_ok=True)
        for name, value in {
            "idVendor": self.vendor, "idProduct": self.product,
            "strings/0x409/serialnumber": self.serial, "strings/0x409/manufacturer": "Rig",
            "strings/0x409/product": self.name, "configs/c.1/MaxPower": "120",
        }.items():
            write(f"{self.folder}/{name}", value)
        os.symlink(f"{self.folder}/functions/{self.function}",
                   f"{self.folder}/configs/c.1/{self.function}")

    @staticmethod
    def bus():
        folder = "/sys/devices/platform/dummy_hcd.0"
        buses = [name for name in os.listdir(folder) if name.startswith("usb")]
        check(len(buses) == 1, f"dummy_hcd has the buses {buses}")
        return buses[0].removeprefix("usb")

    def plug(self):
        write(f"{self.folder}/UDC", "dummy_udc.0")

    def unplug(self):
        """What the kernel calls an empty name is a line end."""
        try:
            write(f"{self.folder}/UDC", "\n")
        except OSError:
            pass  # it is not plugged in


class Umtprd(Gadget):
    """umtprd with a folder of its own."""

    def __init__(self, files, serial, read_only=False):
        super().__init__("umtp", "ffs.mtp", "0x1d6b", "0x0100", serial)
        self.files = "/run/umtprd"
        shutil.rmtree(self.files, ignore_errors=True)
        media.fill(self.files, files)
        self.mode = "ro" if read_only else "rw"
        self.process = None

    def prepare(self):
        os.makedirs("/etc/umtprd", exist_ok=True)
        write("/etc/umtprd/umtprd.conf",
              CONFIG.format(folder=self.files, mode=self.mode, serial=self.serial))
        os.makedirs("/dev/ffs-mtp", exist_ok=True)
        run("mount", "-t", "functionfs", "mtp", "/dev/ffs-mtp")
        with open("/run/umtprd.log", "wb") as log:
            self.process = subprocess.Popen(["umtprd"], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        within(10, "umtprd's endpoints", lambda: os.path.exists("/dev/ffs-mtp/ep3"))

    def set_battery(self, percent):
        """umtprd 1.3.10 has no battery: the value it gives is the number 8000 hex in its code, where
        it is loaded into the fourth argument of a call. That number is changed, in the process."""
        at, code = self._battery_code()
        with open(f"/proc/{self.process.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(at)
            equal(memory.read(1), code[:1], "what umtprd has where its battery should be")
            memory.seek(at)
            memory.write(code[:1] + percent.to_bytes(4, "little"))

    def _battery_code(self):
        """Where in the process, and the bytes that are there at first: mov $0x8000,%ecx."""
        code = b"\xb9\x00\x80\x00\x00"
        binary = shutil.which("umtprd")
        with open(binary, "rb") as file:
            bytes_of_it = file.read()
        equal(bytes_of_it.count(code), 1, "places in umtprd that could be its battery")
        offset = bytes_of_it.index(code)
        for line in read(f"/proc/{self.process.pid}/maps").splitlines():
            place, _, begins = line.split()[:3]
            start, end = (int(part, 16) for part in place.split("-"))
            begins = int(begins, 16)
            if line.endswith("/umtprd") and begins <= offset < begins + end - start:
                return start + offset - begins, code
        raise Failed("umtprd's code is not in its own memory")

    def clean_up(self):
        self.process.kill()
        self.process.wait()
        run("umount", "/dev/ffs-mtp")


class CardReader(Gadget):
    """Mass storage that says it is of any model."""

    def __init__(self, card, serial, vendor, product):
        super().__init__("reader", "mass_storage.0", vendor, product, serial)
        self.card = card

    def prepare(self):
        lun = f"{self.folder}/functions/{self.function}/lun.0"
        write(f"{lun}/ro", "1")
        write(f"{lun}/removable", "1")
        write(f"{lun}/file", self.card.path)

    def disks(self):
        return glob.glob(f"/sys/bus/usb/devices/{self.port}/{self.port}:1.0/host*/target*/*/block/*")
