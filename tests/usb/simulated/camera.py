"""A PTP/MTP camera whose memory is a folder. Quirks are habits of real cameras; faults strike."""

import datetime
import os
import struct
import threading
import time

from simulated import ptp
from simulated.device import BULK, INTERRUPT, Device, Interface
from simulated.link import Bytes, Stall

BULK_IN, BULK_OUT, EVENT_IN = 0x81, 0x02, 0x83
STILL_IMAGE = (6, 1, 1)
ENDPOINTS = [(BULK_IN, BULK, 512, 0), (BULK_OUT, BULK, 512, 0), (EVENT_IN, INTERRUPT, 64, 6)]

# Habits, each seen in the field or in Debian's umtp-responder.
INFO_NEEDS_SESSION = "GetDeviceInfo answers 2003 before a session is open"
ALL_STORES_HANGS = "listing storage ffffffff answers 2008, and nothing after it"
ROOT_IS_PARENT_0 = "listing parent 0 gives the root only, ffffffff is refused"
VIDEO_SIZE_0 = "ObjectInfo says 0 bytes for a video"
NO_PARTIAL = "no ranged reads at all: GetObject only"
NO_PARTIAL_64 = "ranged reads only below 4 GiB"
PLAIN_PTP = "no MTP operations: sizes over 4 GiB cannot be asked for"
SPLIT_HEADER = "the header of a data container comes in a transfer of its own"
BATTERY_ENUM = "battery levels are an enumeration instead of a range"


def still_image():
    """libmtp knows an MTP device by the name of its interface."""
    return Interface(STILL_IMAGE, ENDPOINTS, name=5)


class Store:
    """A folder, as one storage."""

    def __init__(self, number, folder, read_only=False):
        self.id = (number << 16) | 1
        self.folder = folder
        self.read_only = read_only


class Camera(Device):
    """`folders`: one storage each. `clock_offset_s`: how far its clock is ahead of the guest's."""

    def __init__(self, folders, serial, vendor=0x1209, product=0xBC01, maker="Rig", model="Simcam",
                 quirks=(), read_only=False, battery=80, clock_offset_s=0, interfaces=None):
        super().__init__(vendor, product, serial,
                         interfaces or [still_image()], maker, model)
        self.strings[5] = "MTP"
        self.serial, self.maker, self.model = serial, maker, model
        self.stores = [Store(at + 1, each, read_only) for at, each in enumerate(folders)]
        self.quirks = set(quirks)
        self.battery = battery
        self.clock_offset = datetime.timedelta(seconds=clock_offset_s)
        self.clock_sets = []  # what hosts set the clock to
        self.faults = []  # [operation or None, times, strike]
        self.log = []  # (operation, parameters) of every command
        self.deleted = []  # paths, in order
        self.plugged = 0
        self.heard = time.monotonic()
        self._forget()

    def _forget(self):
        self.session = False
        self.hung = False
        self.inbox = bytearray()
        self.pending = None  # a command that waits for its data phase
        self.handles = {}  # handle -> (store, path below its folder)
        self.cancelled = False

    def plug(self, rhport=0):
        self.plugged += 1
        self.heard = time.monotonic()
        self._forget()
        return super().plug(rhport)

    def restart(self):
        """Leaves the bus and comes back by itself, as after a crash of its firmware."""
        rhport = self.link.rhport

        def again():
            self.unplug()
            self.plug(rhport)

        threading.Thread(target=again, daemon=True).start()

    def fault(self, strike, operation=None, times=1):
        """From now on `strike` answers in place of the camera, so many times."""
        self.faults.append([operation, times, strike])

    def silence_s(self):
        """How long ago the last command came."""
        return time.monotonic() - self.heard

    def event(self, code, *values):
        payload = ptp.parameters(*values)
        self.link.send(EVENT_IN, ptp.container(ptp.EVENT, code, 0xFFFFFFFF, payload))

    # --- USB -----------------------------------------------------------------------------------

    def class_request(self, kind, request, value, index, length, data):
        if request == 0x64 and kind == 0x21:  # Cancel
            self.link.flush(BULK_IN)
            self.inbox.clear()
            self.pending, self.cancelled = None, True
            return b""
        if request == 0x66 and kind == 0x21:  # Device Reset
            self.link.flush(BULK_IN)
            self._forget()
            return b""
        if request == 0x67 and kind == 0xA1:  # Get Device Status
            code = ptp.BUSY if self.cancelled else ptp.OK
            self.cancelled = False
            return struct.pack("<HH", 4, code)
        raise Stall

    def received(self, endpoint, data):
        self.inbox += data
        while len(self.inbox) >= 12:
            (length,) = struct.unpack_from("<I", self.inbox)
            if length < 12 or len(self.inbox) < length:
                return
            one, self.inbox = bytes(self.inbox[:length]), self.inbox[length:]
            self._container(one)

    def _container(self, one):
        _, kind, code, transaction = struct.unpack_from("<IHHI", one)
        payload = one[12:]
        if kind == ptp.COMMAND:
            values = struct.unpack(f"<{len(payload) // 4}I", payload[: len(payload) // 4 * 4])
            self.log.append((code, values))
            self.heard = time.monotonic()
            if self.hung:
                return
            if code == ptp.SET_PROP:
                self.pending = (code, values, transaction)
            else:
                self._answer(code, values, transaction, b"")
        elif kind == ptp.DATA and self.pending and self.pending[2] == transaction:
            command, self.pending = self.pending, None
            self._answer(*command, payload)

    def _answer(self, code, values, transaction, sent):
        values = tuple(values) + (0,) * (5 - len(values))
        data, response, more = self._operation(code, values, transaction, sent)
        transfers = []
        if isinstance(data, bytes):
            whole = ptp.container(ptp.DATA, code, transaction, data)
            if SPLIT_HEADER in self.quirks:
                transfers += [Bytes(whole[:12]), Bytes(whole[12:])]
            else:
                transfers.append(Bytes(whole))
        elif data is not None:
            transfers.append(data)
        if response is not None:
            payload = ptp.parameters(*more)
            transfers.append(Bytes(ptp.container(ptp.RESPONSE, response, transaction, payload)))
        for fault in self.faults:
            if fault[0] in (None, code) and fault[1] > 0:
                fault[1] -= 1
                transfers = fault[2](self, code, transaction, transfers)
                break
        for transfer in transfers:
            self.link.send(BULK_IN, transfer)

    # --- operations: each gives (data, response, parameters of the response) ----------------------

    def _operation(self, code, values, transaction, sent):
        if code == ptp.GET_DEVICE_INFO:
            if INFO_NEEDS_SESSION in self.quirks and not self.session:
                return None, ptp.SESSION_NOT_OPEN, ()
            return self._device_info(), ptp.OK, ()
        if code == ptp.OPEN_SESSION:
            if self.session:
                return None, ptp.SESSION_OPEN, ()
            self.session = True
            return None, ptp.OK, ()
        if not self.session:
            return None, ptp.SESSION_NOT_OPEN, ()
        if code not in self._operations():
            return None, ptp.OPERATION_UNSUPPORTED, ()
        return getattr(self, f"_op_{code:04x}")(values, transaction, sent)

    def _operations(self):
        offered = [0x1001, 0x1002, 0x1003, 0x1004, 0x1005, 0x1006, 0x1007, 0x1008, 0x1009, 0x100B,
                   0x1014, 0x1015, 0x1016]
        if NO_PARTIAL not in self.quirks:
            offered.append(ptp.GET_PARTIAL_OBJECT)
            if not self.quirks & {NO_PARTIAL_64, PLAIN_PTP}:
                offered.append(ptp.GET_PARTIAL_OBJECT_64)
        if PLAIN_PTP not in self.quirks:
            offered += [ptp.MTP_PROPS_SUPPORTED, ptp.MTP_PROP_DESC, ptp.MTP_PROP_VALUE]
        return offered

    def _device_info(self):
        mtp = PLAIN_PTP not in self.quirks
        head = struct.pack("<HIH", 100, 6 if mtp else 0, 100 if mtp else 0)
        formats = ptp.array16([ptp.UNDEFINED, ptp.ASSOCIATION, ptp.MP4])
        return b"".join([
            head, ptp.string("microsoft.com: 1.0; android.com: 1.0;" if mtp else ""), b"\0\0",
            ptp.array16(self._operations()),
            ptp.array16([ptp.OBJECT_ADDED, ptp.OBJECT_REMOVED, ptp.PROP_CHANGED]),
            ptp.array16([ptp.BATTERY, ptp.DATE_TIME]), ptp.array16([]), formats,
            ptp.string(self.maker), ptp.string(self.model), ptp.string("1.0"),
            ptp.string(self.serial),
        ])

    def _op_1003(self, values, transaction, sent):
        self.session = False
        return None, ptp.OK, ()

    def _op_1004(self, values, transaction, sent):
        return ptp.array32([each.id for each in self.stores]), ptp.OK, ()

    def _op_1005(self, values, transaction, sent):
        for store in self.stores:
            if store.id == values[0]:
                free = 1 << 34
                head = struct.pack("<HHHQQI", 3, 2, 1 if store.read_only else 0, free, free // 2,
                                   0xFFFFFFFF)
                return head + ptp.string("Internal") + ptp.string(f"VOL{store.id:x}"), ptp.OK, ()
        return None, ptp.INVALID_STORAGE, ()

    def _op_1006(self, values, transaction, sent):
        data, response, _ = self._op_1007(values, transaction, sent)
        if data is None:
            return None, response, ()
        return None, ptp.OK, (struct.unpack_from("<I", data)[0],)

    def _op_1007(self, values, transaction, sent):
        storage, form, parent = values[:3]
        if storage == 0xFFFFFFFF and ALL_STORES_HANGS in self.quirks:
            self.hung = True
            return None, ptp.INVALID_STORAGE, ()
        stores = [each for each in self.stores if storage in (each.id, 0xFFFFFFFF)]
        if not stores:
            return None, ptp.INVALID_STORAGE, ()
        root_only = parent == 0xFFFFFFFF
        if ROOT_IS_PARENT_0 in self.quirks:
            if root_only:
                return None, ptp.INVALID_PARENT, ()
            root_only = parent == 0
        found = []
        for store in stores:
            if root_only:
                found += self._children(store, "")
            elif parent == 0:
                found += self._all(store, "")
            elif parent in self.handles and self.handles[parent][0] is store:
                found += self._children(store, self.handles[parent][1])
        if form:
            found = [each for each in found if self._format(each) == form]
        return ptp.array32(found), ptp.OK, ()

    def _op_1008(self, values, transaction, sent):
        if (known := self._file(values[0])) is None:
            return None, ptp.INVALID_HANDLE, ()
        store, path, full = known
        size = 0 if os.path.isdir(full) else os.path.getsize(full)
        if VIDEO_SIZE_0 in self.quirks and path.endswith((".mp4", ".MP4")):
            size = 0
        when = datetime.datetime.fromtimestamp(os.path.getmtime(full), datetime.UTC)
        info = ptp.object_info(store.id, self._format(values[0]), size, self._parent(values[0]),
                               os.path.basename(path), when.strftime("%Y%m%dT%H%M%S"))
        return info, ptp.OK, ()

    def _op_1009(self, values, transaction, sent):
        return self._part(ptp.GET_OBJECT, values[0], 0, None, transaction)

    def _op_101b(self, values, transaction, sent):
        return self._part(ptp.GET_PARTIAL_OBJECT, values[0], values[1], values[2], transaction)

    def _op_95c1(self, values, transaction, sent):
        offset = values[1] | (values[2] << 32)
        return self._part(ptp.GET_PARTIAL_OBJECT_64, values[0], offset, values[3], transaction)

    def _part(self, code, handle, offset, count, transaction):
        known = self._file(handle)
        if known is None or os.path.isdir(known[2]):
            return None, ptp.INVALID_HANDLE, ()
        left = max(os.path.getsize(known[2]) - offset, 0)
        count = left if count is None else min(count, left)
        head = ptp.container(ptp.DATA, code, transaction, length=12 + count)
        more = () if code == ptp.GET_OBJECT else (count,)
        if SPLIT_HEADER in self.quirks:
            self.link.send(BULK_IN, head)
            head = b""
        return ptp.File(head, known[2], offset, count), ptp.OK, more

    def _op_100b(self, values, transaction, sent):
        if (known := self._file(values[0])) is None:
            return None, ptp.INVALID_HANDLE, ()
        store, path, full = known
        if store.read_only:
            return None, ptp.STORE_READ_ONLY, ()
        if os.path.isdir(full):
            return None, ptp.ACCESS_DENIED, ()
        os.remove(full)
        self.deleted.append(path)
        return None, ptp.OK, ()

    # --- properties ----------------------------------------------------------------------------

    def clock(self):
        return (datetime.datetime.now(datetime.UTC) + self.clock_offset).strftime("%Y%m%dT%H%M%S")

    def _op_1014(self, values, transaction, sent):
        if values[0] == ptp.BATTERY:
            levels = [0, 20, 40, 60, 80, 100]
            head = struct.pack("<HHBBB", ptp.BATTERY, 2, 0, 100, self.battery)
            if BATTERY_ENUM in self.quirks:
                return head + struct.pack("<BH6B", 2, len(levels), *levels), ptp.OK, ()
            return head + struct.pack("<BBBB", 1, 0, 100, 1), ptp.OK, ()
        if values[0] == ptp.DATE_TIME:
            now = ptp.string(self.clock())
            return struct.pack("<HHB", ptp.DATE_TIME, 0xFFFF, 1) + now + now + b"\0", ptp.OK, ()
        return None, ptp.PROP_UNSUPPORTED, ()

    def _op_1015(self, values, transaction, sent):
        if values[0] == ptp.BATTERY:
            return bytes([self.battery]), ptp.OK, ()
        if values[0] == ptp.DATE_TIME:
            return ptp.string(self.clock()), ptp.OK, ()
        return None, ptp.PROP_UNSUPPORTED, ()

    def _op_1016(self, values, transaction, sent):
        if values[0] != ptp.DATE_TIME:
            return None, ptp.ACCESS_DENIED, ()
        text = ptp.unstring(sent)
        self.clock_sets.append(text)
        try:
            to = datetime.datetime.strptime(text[:15], "%Y%m%dT%H%M%S").replace(tzinfo=datetime.UTC)
        except ValueError:
            return None, ptp.INVALID_PARAMETER, ()
        self.clock_offset = to - datetime.datetime.now(datetime.UTC)
        return None, ptp.OK, ()

    def _op_9801(self, values, transaction, sent):
        known = [ptp.P_STORAGE, ptp.P_FORMAT, ptp.P_SIZE, ptp.P_NAME, ptp.P_PARENT]
        return ptp.array16(known), ptp.OK, ()

    def _op_9802(self, values, transaction, sent):
        kinds = {ptp.P_STORAGE: (6, b"\0" * 4), ptp.P_FORMAT: (4, b"\0" * 2),
                 ptp.P_SIZE: (8, b"\0" * 8), ptp.P_NAME: (0xFFFF, b"\0"), ptp.P_PARENT: (6, b"\0" * 4)}
        if values[0] not in kinds:
            return None, ptp.INVALID_OBJECT_PROP, ()
        kind, default = kinds[values[0]]
        return struct.pack("<HHB", values[0], kind, 0) + default + b"\0" * 5, ptp.OK, ()

    def _op_9803(self, values, transaction, sent):
        if (known := self._file(values[0])) is None:
            return None, ptp.INVALID_HANDLE, ()
        store, path, full = known
        size = 0 if os.path.isdir(full) else os.path.getsize(full)
        found = {
            ptp.P_STORAGE: lambda: struct.pack("<I", store.id),
            ptp.P_FORMAT: lambda: struct.pack("<H", self._format(values[0])),
            ptp.P_SIZE: lambda: struct.pack("<Q", size),
            ptp.P_NAME: lambda: ptp.string(os.path.basename(path)),
            ptp.P_PARENT: lambda: struct.pack("<I", self._parent(values[0])),
        }.get(values[1])
        return (found(), ptp.OK, ()) if found else (None, ptp.INVALID_OBJECT_PROP, ())

    # --- the folder as objects ------------------------------------------------------------------

    def _handle(self, store, path):
        """Handles hold for one time in the dock only, as on real cameras."""
        for handle, known in self.handles.items():
            if known == (store, path):
                return handle
        handle = self.plugged * 10_000 + len(self.handles) + 1
        self.handles[handle] = (store, path)
        return handle

    def _file(self, handle):
        if handle not in self.handles:
            return None
        store, path = self.handles[handle]
        full = os.path.join(store.folder, path)
        return (store, path, full) if os.path.exists(full) else None

    def _children(self, store, path):
        names = sorted(os.listdir(os.path.join(store.folder, path)))
        return [self._handle(store, os.path.join(path, name)) for name in names]

    def _all(self, store, path):
        found = []
        for handle in self._children(store, path):
            found.append(handle)
            below = self.handles[handle][1]
            if os.path.isdir(os.path.join(store.folder, below)):
                found += self._all(store, below)
        return found

    def _parent(self, handle):
        store, path = self.handles[handle]
        above = os.path.dirname(path)
        return self._handle(store, above) if above else 0

    def _format(self, handle):
        store, path = self.handles[handle]
        if os.path.isdir(os.path.join(store.folder, path)):
            return ptp.ASSOCIATION
        return ptp.MP4 if path.endswith((".mp4", ".MP4")) else ptp.UNDEFINED
