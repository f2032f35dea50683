"""Log segments as brokers write them: what is really on disk, not what was asked for."""

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
