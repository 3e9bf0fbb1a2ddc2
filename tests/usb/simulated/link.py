"""One device on a port of vhci_hcd: USB/IP as the kernel speaks it (Documentation/usb/usbip_protocol).

The kernel is given one end of a socket pair; no server and no `usbip attach` is needed. URBs wait
until the device has something for them, as on a wire: time-outs, stalls and half transfers are
real. `Link` knows endpoints and URBs, and nothing of what a device means by its bytes.
"""

import collections
import glob
import os
import socket
import struct
import threading
import time

VHCI = "/sys/devices/platform/vhci_hcd.0"
PORTS = 8  # High-speed ports of vhci_hcd.0
# What `status` says of a port (drivers/usb/usbip/usbip_common.h): VDEV_ST_NULL, VDEV_ST_ERROR. A
# port that the kernel gave up on stays so until somebody writes it to `detach`.
FREE, GIVEN_UP = 4, 7
FREE_WITHIN_S = 60
SPEEDS = {"low": 1, "full": 2, "high": 3}

SUBMIT, UNLINK, RET_SUBMIT, RET_UNLINK = 1, 2, 3, 4
IN = 1
EPIPE, ECONNRESET = -32, -104

Urb = collections.namedtuple("Urb", "seqnum endpoint length setup data")


class Stall(Exception):
    """The device does not do what a control request asks."""


class Bytes:
    """A transfer on its way to the host: so many bytes, then a short packet."""

    def __init__(self, data):
        self.data = memoryview(data)

    def take(self, count):
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def done(self):
        return not self.data


class Halt:
    """In the place of a transfer: the endpoint halts until the host clears it."""


class Pipe:
    """An IN endpoint: transfers that wait for URBs, or URBs that wait for transfers."""

    def __init__(self, packet):
        self.packet = packet
        self.urbs = collections.deque()
        self.transfers = collections.deque()
        self.halted = False
        self.owes_end = False  # a transfer filled its URB exactly: an empty packet ends it

    def clear(self):
        self.transfers.clear()
        self.owes_end = False


_plugged = {}  # port to the Link in it


def unplug_all():
    """Pulls whatever is still plugged in; returns what that was."""
    left = list(_plugged.values())
    for link in left:
        link.unplug()
    return [f"{link.device.strings[3]} in port {link.rhport}" for link in left]


class Link:
    """`device` has: speed, in_endpoints {address: packet size}, control(setup, data) -> bytes (may
    raise Stall), received(endpoint, data), cleared(endpoint), and attribute `link`."""

    def __init__(self, device):
        self.device = device
        self.lock = threading.RLock()
        self.pipes = {}
        self.socket = None
        self.thread = None
        self.rhport = None
        self.vanish_after = None  # bytes over bulk IN until the device is pulled
        self.sent = 0  # bytes over bulk IN since it was plugged in
        device.link = self

    # --- plugging ------------------------------------------------------------------------------

    @staticmethod
    def path_of(rhport):
        """The kernel's name of a High-speed port of vhci_hcd."""
        for bus in glob.glob(f"{VHCI}/usb[0-9]*"):
            with open(f"{bus}/speed", encoding="ascii") as speed:
                if speed.read().strip() == "480":
                    return f"{os.path.basename(bus)[3:]}-{rhport + 1}"
        raise RuntimeError("vhci_hcd is not loaded")

    def plug(self, rhport=0):
        """Plugs the device in; returns the kernel's name of the port."""
        holder = _plugged.setdefault(rhport, self)
        if holder is not self:
            raise RuntimeError(f"port {rhport} still holds {holder.device.strings[3]}")
        if self.socket:
            raise RuntimeError(f"{self.device.strings[3]} is in port {self.rhport} already")
        try:
            self._attach(rhport)
        except BaseException:
            _plugged.pop(rhport, None)
            raise
        return self.path_of(rhport)

    def _attach(self, rhport):
        self._await_free(rhport)
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        with self.lock:
            self.pipes = {at: Pipe(size) for at, size in self.device.in_endpoints.items()}
            self.rhport, self.sent = rhport, 0
            devid = (1 << 16) | (rhport + 1)
            line = f"{rhport} {theirs.fileno()} {devid} {SPEEDS[self.device.speed]}"
            # The lock is held: who pulls it waits until the kernel has all of it.
            with open(f"{VHCI}/attach", "w", encoding="ascii") as attach:
                attach.write(line)
            theirs.close()
            self.socket = ours
            self.thread = threading.Thread(target=self._serve, args=(ours,), daemon=True)
            self.thread.start()

    @staticmethod
    def _await_free(rhport):
        """The kernel lets go of what was in the port before in a thread of its own; on a busy
        machine that takes a while."""
        end = time.monotonic() + FREE_WITHIN_S
        while True:
            with open(f"{VHCI}/status", encoding="ascii") as status:
                lines = [line.split() for line in status if line.startswith("hs")]
            state = int(lines[rhport][2])
            if state == FREE:
                return
            if state == GIVEN_UP:
                with open(f"{VHCI}/detach", "w", encoding="ascii") as detach:
                    detach.write(str(rhport))
            if time.monotonic() > end:
                raise RuntimeError(
                    f"port {rhport} of vhci_hcd does not become free: its state is {state}")
            time.sleep(0.01)

    def unplug(self):
        """Pulls it, at once and whatever is going on."""
        with self.lock:
            if self.socket:
                self.socket.shutdown(socket.SHUT_RDWR)
            thread, self.socket, self.vanish_after = self.thread, None, None
            if _plugged.get(self.rhport) is self:
                del _plugged[self.rhport]
        if thread and thread is not threading.current_thread():
            thread.join(FREE_WITHIN_S)
            if thread.is_alive():
                raise RuntimeError("the simulated device does not let go")

    def is_plugged(self):
        return self.socket is not None

    # --- what the device does ------------------------------------------------------------------

    def send(self, endpoint, transfer):
        """Queues a transfer (bytes, or an object with take and done) for the host to fetch."""
        with self.lock:
            if endpoint in self.pipes:
                if isinstance(transfer, (bytes, bytearray)):
                    transfer = Bytes(transfer)
                self.pipes[endpoint].transfers.append(transfer)
                self._pump(endpoint)

    def flush(self, endpoint):
        """Forgets what the host has not fetched."""
        with self.lock:
            self.pipes[endpoint].clear()

    # --- the wire ------------------------------------------------------------------------------

    def _serve(self, wire):
        try:
            while header := self._exactly(wire, 48):
                kind, seqnum, _, direction, endpoint = struct.unpack_from(">5I", header)
                if kind == UNLINK:
                    self._unlink(seqnum, struct.unpack_from(">I", header, 20)[0])
                    continue
                (length,) = struct.unpack_from(">I", header, 24)
                data = b"" if direction == IN else self._exactly(wire, length)
                with self.lock:
                    self._submit(Urb(seqnum, endpoint | (direction << 7), length, header[40:48], data))
        except OSError:
            pass  # pulled
        finally:
            with self.lock:
                if self.socket is wire:  # the kernel let go of it
                    self.socket = None
                    _plugged.pop(self.rhport, None)
            wire.close()

    @staticmethod
    def _exactly(wire, count):
        parts = []
        while count:
            part = wire.recv(count)
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _submit(self, urb):
        if urb.endpoint & 0x7F == 0:
            self._control(urb)
        elif urb.endpoint & 0x80:
            pipe = self.pipes.get(urb.endpoint)
            if pipe is None:
                return self._complete(urb, EPIPE)
            pipe.urbs.append(urb)
            self._pump(urb.endpoint)
        else:
            self._complete(urb, 0, count=len(urb.data))
            self.device.received(urb.endpoint, urb.data)
        return None

    def _control(self, urb):
        kind, request, _, index, _ = struct.unpack("<BBHHH", urb.setup)
        if (kind, request) == (0x02, 1):  # CLEAR_FEATURE(ENDPOINT_HALT)
            if index in self.pipes:
                self.pipes[index].halted = False
            self.device.cleared(index)
            self._complete(urb, 0)
            return self._pump(index)
        try:
            answer = self.device.control(urb.setup, urb.data)
        except Stall:
            return self._complete(urb, EPIPE)
        if urb.endpoint & 0x80:
            return self._complete(urb, 0, bytes(answer)[: urb.length])
        return self._complete(urb, 0, count=len(urb.data))

    def _pump(self, endpoint):
        pipe = self.pipes.get(endpoint)
        while pipe and pipe.urbs and self.socket:
            if pipe.halted:
                self._complete(pipe.urbs.popleft(), EPIPE)
            elif pipe.owes_end:
                pipe.owes_end = False
                self._complete(pipe.urbs.popleft(), 0, b"")
            elif not pipe.transfers:
                return
            elif isinstance(pipe.transfers[0], Halt):
                pipe.transfers.popleft()
                pipe.halted = True
            else:
                self._fill(pipe)

    def _fill(self, pipe):
        urb, transfer = pipe.urbs[0], pipe.transfers[0]
        data = transfer.take(urb.length)
        if self.vanish_after is not None and self.sent + len(data) > self.vanish_after:
            self.unplug()
            return
        pipe.urbs.popleft()
        self.sent += len(data)
        if transfer.done():
            pipe.transfers.popleft()
            pipe.owes_end = len(data) == urb.length and urb.length % pipe.packet == 0
        self._complete(urb, 0, data)

    def _complete(self, urb, status, data=b"", count=None):
        actual = len(data) if count is None else count
        head = struct.pack(">5IiI3I8x", RET_SUBMIT, urb.seqnum, 0, 0, 0, status, actual, 0, 0, 0)
        self._write(head + bytes(data))

    def _unlink(self, seqnum, victim):
        with self.lock:
            status = 0
            for pipe in self.pipes.values():
                for urb in pipe.urbs:
                    if urb.seqnum == victim:
                        pipe.urbs.remove(urb)
                        status = ECONNRESET
                        break
            self._write(struct.pack(">5Ii24x", RET_UNLINK, seqnum, 0, 0, 0, status))

    def _write(self, data):
        if self.socket:
            self.socket.sendall(data)
