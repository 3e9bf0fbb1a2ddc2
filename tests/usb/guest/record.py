"""What must hold in every custody log, judged from its lines alone.

A file that another one has taken the place of (`source_changed`) is seen a second time, and
rightly: both are footage. Without that fact a second segment of the same file is a double."""

import hashlib
import json


def broken_chain(lines):
    """The number of the first line that does not carry the hash of the one before, or None."""
    previous = "0" * 64
    for number, line in enumerate(lines, start=1):
        if json.loads(line)["prev"] != previous:
            return number
        previous = hashlib.sha256(line).hexdigest()
    return None


def objections(facts, lying=False):
    """Words for everything that should not be: files seen or sealed twice, and erases without a
    receipt, without the rule, or of a file that no two reads agreed on.

    A camera that lies may leave a file out of a listing, and show it in the next: what was called
    gone (`segment_vanished`) is another file then."""
    said = []
    names, current, changed, sealed = {}, {}, set(), {}
    receipted, releasing, agreed = set(), set(), set()
    for fact in facts:
        kind = fact["type"]
        if kind == "segment_seen":
            segment = fact["segment"]
            name = names[segment["id"]] = (segment["camera"], segment["source"]["path"])
            if name in current and current[name] not in changed:
                said.append(f"{name} was seen twice as two segments")
            current[name] = segment["id"]
        elif kind == "source_changed" or lying and kind == "segment_vanished":
            changed.add(fact["segment"])
        elif kind == "sealed":
            if fact["segment"] in sealed:
                said.append(f"{names[fact['segment']]} was sealed twice")
            sealed[fact["segment"]] = fact["object"]["id"]
        elif kind == "receipted":
            receipted.add(fact["object"])
        elif kind == "second_read":
            (agreed.add if fact["agrees"] else agreed.discard)(fact["segment"])
        elif kind == "releasing":
            name = names[fact["segment"]]
            if sealed.get(fact["segment"]) not in receipted:
                said.append(f"{name} is erased without a receipt")
            # No camera of the rig has a list of hashes, so each erase needs two equal reads.
            if fact["segment"] not in agreed or fact["segment"] in changed:
                said.append(f"{name} is erased without two reads that agree")
            releasing.add(fact["segment"])
        elif kind == "released" and fact["segment"] not in releasing:
            said.append(f"{names[fact['segment']]} is erased without the rule")
    return said
