"""The records that every client sends, as a function of their index: what the logs must hold."""

PARTITIONS = 3


def record(index):
    """(partition, key, value, headers, timestamp_ms) of one record; key and value may be None."""
    key = None if index % 5 == 0 else b"key-%d" % index
    is_tombstone = index % 7 == 0 and key is not None
    value = None if is_tombstone else b"value-%d;" % index * (index % 40)
    headers = [("first", b"%d" % index), ("empty", b""), ("first", b"again")] if index % 3 == 0 else []
    return index % PARTITIONS, key, value, headers, 1_700_000_000_000 + index


def pace(index):
    """Seconds to wait after this record, so that faults fall in the middle of a run."""
    return 0.002 if index % 20 == 0 else 0
