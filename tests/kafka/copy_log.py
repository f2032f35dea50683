"""The independent witness of the chaos run: copies what stands in a topic, with librdkafka.

    copy_log.py BOOTSTRAP TOPIC FILE

Runs in the virtual environment of `jars.python_with`. FILE gets three 64-bit numbers for each
record: partition, offset, and the number from its value `partition:number:...`; -1 where the value
is no such thing or names another partition.
"""

import sys
import time
from array import array

from confluent_kafka import Consumer, TopicPartition

SILENCE_TIMEOUT_S = 30


def number_in(value, partition):
    """The record's number, or -1."""
    parts = (value or b"").split(b":", 2)
    if len(parts) != 3 or parts[0] != b"%d" % partition or not parts[1].isdigit():
        return -1
    return int(parts[1])


def copy(consumer, topic, file):
    """Copies everything up to the present end; returns how many records that were."""
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    ends = {partition: consumer.get_watermark_offsets(TopicPartition(topic, partition),
                                                      timeout=20)[1] for partition in partitions}
    unread = {partition for partition, end in ends.items() if end > 0}
    consumer.assign([TopicPartition(topic, partition, 0) for partition in unread])
    copied, last_record = 0, time.monotonic()
    while unread:
        if time.monotonic() > last_record + SILENCE_TIMEOUT_S:
            raise SystemExit(f"nothing comes any more of {sorted(unread)}; the ends are {ends}")
        triples = array("q")
        for record in consumer.consume(num_messages=20_000, timeout=0.2):
            if record.error():
                raise SystemExit(f"consumer: {record.error()}")
            last_record = time.monotonic()
            partition, offset = record.partition(), record.offset()
            triples.extend((partition, offset, number_in(record.value(), partition)))
            if offset + 1 >= ends[partition]:
                unread.discard(partition)
        if sys.byteorder != "little":
            triples.byteswap()
        triples.tofile(file)
        copied += len(triples) // 3
    return copied


def main():
    bootstrap, topic, path = sys.argv[1:]
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "witness",
                         "enable.auto.commit": False, "check.crcs": True,
                         "auto.offset.reset": "error"})
    try:
        with open(path, "wb") as file:
            print(copy(consumer, topic, file))
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
