"""Log segments as brokers write them: what is really on disk, not what was asked for."""

import struct
from pathlib import Path

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def formats(folder, topic):
    """The (magic, codec) of everything in a topic's segments below a cluster's folder."""
    found = set()
    for log in Path(folder).glob(f"broker-*/data/{topic}-[0-9]*/*.log"):
        found.update(entries(log.read_bytes()))
    return found


def entries(data):
    """The (magic, codec) of each message of a message set, or of each record batch.

    Both begin with an offset of 8 bytes and a size of 4, and have the magic at byte 16. Then come
    the attributes, whose low three bits are the codec: at byte 17 of a message (magic 0 and 1), at
    byte 21, two bytes wide, of a batch (magic 2). A compressed message holds a message set.
    """
    at = 0
    while at + 22 < len(data):
        size = int.from_bytes(data[at + 8:at + 12], "big")
        magic = data[at + 16]
        attributes = data[at + 22] if magic == 2 else data[at + 17]
        yield magic, CODECS[attributes & 7]
        at += 12 + size


def leader_epochs(data):
    """The (leader epoch, first offset) of each epoch that wrote a batch (magic 2), in order.

    A batch begins with its offset (8 bytes) and its size (4); the leader's epoch (4) follows.
    """
    at, latest = 0, None
    while at + 22 < len(data):
        epoch = int.from_bytes(data[at + 12:at + 16], "big")
        if epoch != latest:
            yield epoch, int.from_bytes(data[at:at + 8], "big")
            latest = epoch
        at += 12 + int.from_bytes(data[at + 8:at + 12], "big")


def epochs_of(folder, topic, partition):
    """The leader epochs of a partition in a broker's folder, over all its segments."""
    logs = sorted(Path(folder).glob(f"data/{topic}-{partition}/*.log"))
    return list(leader_epochs(b"".join(log.read_bytes() for log in logs)))


def sequences(data):
    """The (producer id, producer epoch, base sequence) of each batch (magic 2): from byte 43 on."""
    at = 0
    while at + 61 <= len(data):
        yield struct.unpack_from(">qhi", data, at + 43)
        at += 12 + int.from_bytes(data[at + 8:at + 12], "big")
