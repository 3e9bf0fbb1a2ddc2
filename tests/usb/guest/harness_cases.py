"""The dock on a folder: the harness itself, before a case on USB may blame the dock."""

import os

from guest import media, record
from guest.dock import CLIPS, Dock
from guest.rig import Group, check, equal, run, within


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
            dock.await_receipts("CARD7", 2)
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
        # Before its files are seen there is nothing to do.
        dock.await_receipts("CAM8", len(wanted))
        dock.await_done()
        equal(media.sums(at), {}, "what is left")
        dock.camera_holds("CAM8", wanted)
        dock.check_record()


def objects_to():
    """The judge of the record says what is wrong, and nothing of what is right."""

    def seen(segment, path="a.mp4"):
        return {"type": "segment_seen",
                "segment": {"id": segment, "camera": "C", "source": {"path": path}}}

    def stored(segment):
        return [{"type": "sealed", "segment": segment, "object": {"id": f"O{segment}"}},
                {"type": "receipted", "object": f"O{segment}"}]

    def read(segment, agrees=True):
        return {"type": "second_read", "segment": segment, "agrees": agrees}

    def erased(segment):
        return [{"type": kind, "segment": segment} for kind in ("releasing", "released")]

    changed = {"type": "source_changed", "segment": 1}
    whole = [seen(1), *stored(1), read(1), *erased(1)]
    for facts, wanted in [
        (whole, None),
        ([seen(1), *stored(1), read(1, False), changed, seen(2), *stored(2), read(2), *erased(2)], None),
        ([seen(1), seen(2, "b.mp4")], None),
        ([seen(1), seen(2)], "seen twice"),
        ([seen(1), changed, seen(2), seen(3)], "seen twice"),
        ([*whole, seen(2)], "seen twice"),
        ([seen(1), *stored(1), *stored(1)], "sealed twice"),
        ([seen(1), stored(1)[0], read(1), *erased(1)], "without a receipt"),
        ([seen(1), *stored(1), *erased(1)], "without two reads"),
        ([seen(1), *stored(1), read(1), read(1, False), *erased(1)], "without two reads"),
        ([seen(1), *stored(1), read(1), changed, *erased(1)], "without two reads"),
        ([seen(1), *stored(1), read(1), erased(1)[1]], "without the rule"),
    ]:
        said = record.objections(facts)
        right = len(said) == 1 and wanted in said[0] if wanted else not said
        check(right, f"it should object with {wanted!r}, and says {said}")


GROUP = Group([
    ("harness: the judge of a record objects to what is wrong only", objects_to),
    ("harness: a card mounted read-only is stored, and stays as it is", card_by_kernel),
    ("harness: a folder is emptied after the receipts", erased),
])
