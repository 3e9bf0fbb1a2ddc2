"""What can go wrong with a camera. A fault waits for an operation, strikes so many times, and is
gone. It is given what the camera would have sent, and sends what it likes instead."""

import random
import struct

from simulated import ptp
from simulated.link import Bytes, Halt


class Cut:
    """A transfer that ends early, with a short packet, whatever its header promised."""

    def __init__(self, transfer, count):
        self.transfer = transfer
        self.left = count

    def take(self, count):
        part = self.transfer.take(min(count, self.left))
        self.left -= len(part)
        return part

    def done(self):
        return self.left == 0 or self.transfer.done()


class Flipped:
    """A transfer with one bit wrong, at byte `at`."""

    def __init__(self, transfer, at):
        self.transfer = transfer
        self.at = at

    def take(self, count):
        part = bytearray(self.transfer.take(count))
        if 0 <= self.at < len(part):
            part[self.at] ^= 0x10
        self.at -= len(part)
        return part

    def done(self):
        return self.transfer.done()


class Endless:
    """A data phase that never ends."""

    def __init__(self, head):
        self.head = head

    def take(self, count):
        part = (self.head + bytes(count))[:count]
        self.head = b""
        return part

    def done(self):
        return False


class Unfinished:
    """A transfer of which the rest never comes: the endpoint just says nothing more."""

    def __init__(self, transfer, count):
        self.cut = Cut(transfer, count)

    def take(self, count):
        return self.cut.take(count)

    def done(self):
        return False


# --- each: (camera, operation, transaction, transfers) -> transfers -------------------------------


def silent(camera, operation, transaction, transfers):
    """Never answers."""
    return []


def stall(camera, operation, transaction, transfers):
    """Halts its bulk endpoint; after the host cleared that, the camera waits for a command."""
    return [Halt()]


def stall_after(count):
    def strike(camera, operation, transaction, transfers):
        return [Cut(transfers[0], count), Halt()]

    return strike


def short(count):
    """Promises all, sends `count` bytes of the data container, and says OK."""

    def strike(camera, operation, transaction, transfers):
        return [Cut(transfers[0], count), *transfers[1:]]

    return strike


def dries_up(count):
    """Sends `count` bytes and then nothing more, for ever: a wedged camera."""

    def strike(camera, operation, transaction, transfers):
        return [Unfinished(transfers[0], count)]

    return strike


def flip(at=1000):
    """One wrong bit in the payload of the data."""

    def strike(camera, operation, transaction, transfers):
        return [Flipped(transfers[0], 12 + at), *transfers[1:]]

    return strike


class Flips:
    """One wrong bit in every transfer, each time another one: no two reads are the same."""

    def __init__(self):
        self.struck = 0

    def __call__(self, camera, operation, transaction, transfers):
        self.struck += 1
        return flip(1000 + self.struck)(camera, operation, transaction, transfers)


def response(code):
    """Only this response, without data."""

    def strike(camera, operation, transaction, transfers):
        return [Bytes(ptp.container(ptp.RESPONSE, code, transaction))]

    return strike


def raw(*packets):
    def strike(camera, operation, transaction, transfers):
        return [Bytes(packet) for packet in packets]

    return strike


def endless(camera, operation, transaction, transfers):
    """A data phase without end, for which no size was promised."""
    return [Endless(ptp.container(ptp.DATA, operation, transaction, length=0xFFFFFFFF))]


def reset(camera, operation, transaction, transfers):
    """Crashes and comes back: leaves the bus and is there again, with new handles."""
    camera.restart()
    return []


class Fuzz:
    """A responder that knows PTP and is out for trouble; the same seed does the same."""

    def __init__(self, seed, chance=0.35):
        self.random = random.Random(seed)
        self.chance = chance
        self.struck = 0

    def __call__(self, camera, operation, transaction, transfers):
        if not transfers or self.random.random() > self.chance:
            return transfers
        self.struck += 1
        choice = self.random.choice([
            self.garbage, self.truncated, self.oversized, self.wrong_transaction, self.wrong_kind,
            self.response_first, self.twice, self.counts, self.noise_in_payload, self.empty,
            self.response_only, self.endless, self.halt, self.header_only, self.zero_length,
        ])
        return choice(operation, transaction, transfers)

    def head(self, transfers):
        """What the first container would have been, at most 64 KiB of it."""
        return bytearray(transfers[0].take(65536))

    def garbage(self, operation, transaction, transfers):
        return [Bytes(self.random.randbytes(self.random.choice([1, 3, 11, 12, 13, 512, 70000])))]

    def truncated(self, operation, transaction, transfers):
        head = self.head(transfers)
        return [Bytes(head[: self.random.randrange(1, len(head) + 1)]), *transfers[1:]]

    def oversized(self, operation, transaction, transfers):
        head = self.head(transfers)
        struct.pack_into("<I", head, 0, self.random.choice([0xFFFFFFFF, 0x7FFFFFFF, len(head) + 1]))
        return [Bytes(head), *transfers[1:]]

    def zero_length(self, operation, transaction, transfers):
        head = self.head(transfers)
        struct.pack_into("<I", head, 0, self.random.choice([0, 1, 11]))
        return [Bytes(head), *transfers[1:]]

    def wrong_transaction(self, operation, transaction, transfers):
        head = self.head(transfers)
        struct.pack_into("<I", head, 8, self.random.getrandbits(32))
        return [Bytes(head), *transfers[1:]]

    def wrong_kind(self, operation, transaction, transfers):
        head = self.head(transfers)
        struct.pack_into("<HH", head, 4, self.random.choice([0, 1, 2, 3, 4, 9, 0xFFFF]),
                         self.random.choice([operation, ptp.OK, 0, 0xFFFF]))
        return [Bytes(head), *transfers[1:]]

    def response_first(self, operation, transaction, transfers):
        return list(reversed(transfers))

    def twice(self, operation, transaction, transfers):
        head = self.head(transfers)
        return [Bytes(bytes(head)), Bytes(bytes(head)), *transfers[1:]]

    def counts(self, operation, transaction, transfers):
        """A count at the start of the dataset that no data stands behind."""
        head = self.head(transfers)
        if len(head) >= 16:
            struct.pack_into("<I", head, 12, self.random.choice([0xFFFFFFFF, 0x40000000, 65536]))
        return [Bytes(head), *transfers[1:]]

    def noise_in_payload(self, operation, transaction, transfers):
        head = self.head(transfers)
        for _ in range(8):
            if len(head) > 12:
                head[self.random.randrange(12, len(head))] = self.random.getrandbits(8)
        return [Bytes(head), *transfers[1:]]

    def empty(self, operation, transaction, transfers):
        return [Bytes(b""), *transfers]

    def response_only(self, operation, transaction, transfers):
        code = self.random.choice([ptp.OK, ptp.GENERAL_ERROR, ptp.BUSY, 0, 0xFFFF, 0x2FFF])
        return [Bytes(ptp.container(ptp.RESPONSE, code, transaction))]

    def header_only(self, operation, transaction, transfers):
        return [Bytes(self.head(transfers)[:12]), *transfers[1:]]

    def endless(self, operation, transaction, transfers):
        return [Endless(ptp.container(ptp.DATA, operation, transaction, length=0xFFFFFFFF))]

    def halt(self, operation, transaction, transfers):
        return [Halt()]
