"""Footage and cards: what cameras hold, made here, with their hashes kept aside."""

import hashlib
import os
import random
import shutil

from guest.rig import HOST, Failed, plug, qmp, read, run, unplug, within


def fill(folder, files):
    """Makes `files`, a path to its size or its bytes, below a folder. The bytes are always the
    same for the same path and size, and of no pattern that a codec or a store could use."""
    for path, content in files.items():
        if isinstance(content, int):
            content = random.Random(f"{path} {content}").randbytes(content)
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content)


def sum_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def names(folder):
    """The paths of all files; for asking whether any are left while they are being erased."""
    return [os.path.join(base, name) for base, _, found in os.walk(folder) for name in found]


def sums(folder):
    """Path to SHA-256 of every file."""
    found = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            found[os.path.relpath(path, folder)] = sum_of(path)
    return found


def tree(name, files):
    """A new folder that both QEMU and the guest see. Returns its name below the shared one."""
    path = f"{HOST}/{name}"
    shutil.rmtree(path, ignore_errors=True)
    fill(path, files)
    return name


class Card:
    """An image with a file system, for a simulated card."""

    def __init__(self, name, folder_sums):
        self.name = name
        self.path = f"{HOST}/{name}"
        self.sums = folder_sums


def card(kind, files, megabytes=40, name=None):
    """An image of `kind` (vfat, exfat) with `files` on it, made by Debian's tools and kernel."""
    name = name or f"card.{kind}"
    image = f"/run/{name}"
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    run(f"mkfs.{kind}", *(["-F", "32"] if kind == "vfat" else []), image)
    at = f"/run/{name}.made"
    os.makedirs(at, exist_ok=True)
    run("modprobe", "-a", "loop", kind)
    run("mount", "-o", "loop", "-t", kind, image, at)
    fill(at, files)
    found = sums(at)
    run("umount", at)
    os.rmdir(at)
    # Most of it is holes, and the folder that both sides see is slow.
    run("cp", "--sparse=always", image, f"{HOST}/{name}")
    os.remove(image)
    return Card(name, found)


def mounted_sums(of_card, kind):
    """The files on a card that nobody has at the moment."""
    at = "/run/mounted"
    os.makedirs(at, exist_ok=True)
    run("mount", "-o", "loop,ro", "-t", kind, of_card.path, at)
    try:
        return sums(at)
    finally:
        run("umount", at)


def disks():
    return {name for name in os.listdir("/sys/block") if name.startswith("sd")}


class Stick:
    """A card in a reader: QEMU's usb-storage, in a port."""

    def __init__(self, of_card, port, serial, read_only, name=None):
        self.card = of_card
        self.port = port
        self.serial = serial
        self.read_only = read_only
        self.name = name or f"stick{port.replace('.', '-')}"
        self.block = None

    def __enter__(self):
        self.plug()
        return self

    def __exit__(self, *_):
        self.unplug()

    def plug(self):
        """Plugs it in, and waits for its disk."""
        before = disks()
        self.insert()
        self.block = within(15, "a new disk", lambda: disks() - before).pop()
        within(10, f"the medium of {self.block}", self._ready)

    def _ready(self):
        at = f"/sys/block/{self.block}"
        return read(f"{at}/size") != "0" and read(f"{at}/ro") == str(int(self.read_only))

    def insert(self):
        qmp("blockdev-add", driver="raw", node_name=f"{self.name}-node", read_only=self.read_only,
            file={"driver": "file", "filename": f"@HOST@/{self.card.name}",
                  "read-only": self.read_only})
        plug("usb-storage", self.name, self.port, drive=f"{self.name}-node", serial=self.serial,
             removable=True)

    def unplug(self):
        unplug(self.name)
        if self.block:
            within(10, f"{self.block} gone", lambda: self.block not in disks())

        def deleted():
            try:
                qmp("blockdev-del", node_name=f"{self.name}-node")
                return True
            except Failed:  # still in use for a moment after device_del
                return False

        within(10, f"QEMU to let go of {self.name}", deleted)
