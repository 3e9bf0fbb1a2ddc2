"""PTP's words on the wire (PIMA 15740 / ISO 15740, USB still image class 1.0, MTP 1.1)."""

import struct

COMMAND, DATA, RESPONSE, EVENT = 1, 2, 3, 4

# Operations
GET_DEVICE_INFO, OPEN_SESSION, CLOSE_SESSION = 0x1001, 0x1002, 0x1003
GET_STORAGE_IDS, GET_STORAGE_INFO, GET_NUM_OBJECTS = 0x1004, 0x1005, 0x1006
GET_OBJECT_HANDLES, GET_OBJECT_INFO, GET_OBJECT = 0x1007, 0x1008, 0x1009
DELETE_OBJECT = 0x100B
GET_PROP_DESC, GET_PROP, SET_PROP = 0x1014, 0x1015, 0x1016
GET_PARTIAL_OBJECT, GET_PARTIAL_OBJECT_64 = 0x101B, 0x95C1
MTP_PROPS_SUPPORTED, MTP_PROP_DESC, MTP_PROP_VALUE = 0x9801, 0x9802, 0x9803

# Responses
OK, GENERAL_ERROR, SESSION_NOT_OPEN = 0x2001, 0x2002, 0x2003
OPERATION_UNSUPPORTED, PARAMETER_UNSUPPORTED = 0x2005, 0x2006
INVALID_STORAGE, INVALID_HANDLE, PROP_UNSUPPORTED = 0x2008, 0x2009, 0x200A
STORE_READ_ONLY, ACCESS_DENIED, BUSY = 0x200E, 0x200F, 0x2019
INVALID_PARENT, INVALID_PARAMETER, SESSION_OPEN = 0x201A, 0x201D, 0x201E
INVALID_OBJECT_PROP = 0xA801

# Events
OBJECT_ADDED, OBJECT_REMOVED, PROP_CHANGED = 0x4002, 0x4003, 0x4006

# Formats, properties
UNDEFINED, ASSOCIATION, MP4 = 0x3000, 0x3001, 0xB982
BATTERY, DATE_TIME = 0x5001, 0x5011
P_STORAGE, P_FORMAT, P_SIZE, P_NAME, P_PARENT = 0xDC01, 0xDC02, 0xDC04, 0xDC07, 0xDC0B


def container(kind, code, transaction, payload=b"", length=None):
    length = 12 + len(payload) if length is None else length
    return struct.pack("<IHHI", min(length, 0xFFFFFFFF), kind, code, transaction) + payload


def parameters(*values):
    return struct.pack(f"<{len(values)}I", *values)


def string(text):
    if not text:
        return b"\0"
    packed = (text + "\0").encode("utf-16-le")
    return bytes([len(packed) // 2]) + packed


def unstring(data):
    return data[1 : 1 + 2 * data[0]].decode("utf-16-le").rstrip("\0") if data else ""


def array16(values):
    return struct.pack(f"<I{len(values)}H", len(values), *values)


def array32(values):
    return struct.pack(f"<I{len(values)}I", len(values), *values)


def object_info(storage, form, size, parent, name, created, thumb=0):
    folder = 1 if form == ASSOCIATION else 0
    head = struct.pack("<IHHIHIIIIIIIHII", storage, form, 0, min(size, 0xFFFFFFFF), 0, thumb, 0, 0,
                       0, 0, 0, parent, folder, 0, 0)
    return head + string(name) + string(created) + string(created) + string("")


class File:
    """A data container whose payload is a part of a file, read only as the host fetches it."""

    def __init__(self, head, path, offset, count):
        self.head = memoryview(head)
        self.file = open(path, "rb")  # closed with the object
        self.file.seek(offset)
        self.left = count

    def take(self, count):
        if self.head:
            taken, self.head = self.head[:count], self.head[count:]
            count -= len(taken)
            part = self.file.read(min(count, self.left))
            self.left -= len(part)
            return bytes(taken) + part
        part = self.file.read(min(count, self.left))
        self.left -= len(part)
        return part

    def done(self):
        return not self.head and self.left == 0
