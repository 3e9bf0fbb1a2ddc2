"""The dock on a folder: the harness itself, before a case on USB may blame the dock."""

import os

from guest import media
from guest.dock import CLIPS, Dock
from guest.rig import check, equal, run, within


def card_by_kernel():
    """A card that Linux mounted read-only, as a folder bay: stored, equal, untouched."""
    run("modprobe", "-a", "usb-storage", "sd_mod", "vfat")
    files = {CLIPS.format(serial="CARD7", number=n): 400_000 + n for n in (1, 2)}
    card = media.card("vfat", files, name="harness.vfat")
    at = "/run/bay-card"
    os.makedirs(at)
    with media.Stick(card, port="6", serial="CARD7", read_only=True) as stick:
        with Dock("harness", {"1": f'folder = "{at}"'}) as dock:
            run("mount", "-o", "ro,noexec,nosuid,nodev", "-t", "vfat", f"/dev/{stick.block}", at)
            dock.await_camera("1", "CARD7")
            within(60, lambda: f"receipts; {dock.bay('1')}", lambda: len(dock.stored("CARD7")) == 2)
            dock.camera_holds("CARD7", card.sums)
            dock.check_record()
            equal(media.sums(at), card.sums, "what is on the card")
            dock.stop()
            check(dock.daemon.returncode == 0, f"the daemon ended with {dock.daemon.returncode}")
        run("umount", at)


def erased():
    """A folder that may be erased is, after the receipts."""
    at = "/run/bay-erased"
    files = {CLIPS.format(serial="CAM8", number=n): 300_000 + n for n in (1, 2)}
    media.fill(at, files)
    wanted = media.sums(at)
    with Dock("erased", {"1": f'folder = "{at}"'}) as dock:
        dock.await_camera("1", "CAM8")
        dock.await_done()
        equal(media.sums(at), {}, "what is left")
        dock.camera_holds("CAM8", wanted)
        dock.check_record()


CASES = [
    ("harness: a card mounted read-only is stored, and stays as it is", card_by_kernel),
    ("harness: a folder is emptied after the receipts", erased),
]
