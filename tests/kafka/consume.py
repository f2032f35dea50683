"""The independent witness: reads topics with librdkafka and counts what is there.

Runs in the virtual environment of `jars.python_with`. One question per line of standard input,
`{"bootstrap": …, "release": …, "topic": …, "lines": N, "keys": K}`, one answer per line of standard
output.

The values of a topic are the numbers 1 to N in decimal; with K > 0 the key of value v is `key-` and
v mod K. Order is judged per partition: a value must be greater than every one before it.
"""

import json
import sys
import time

from confluent_kafka import Consumer, TopicPartition

#: With acks=0 the last records may be on their way when the producer has ended.
ARRIVAL_TIMEOUT_S = 15
SILENCE_TIMEOUT_S = 20


def murmur2(data):
    """Kafka's hash of keys, from its published definition (org.apache.kafka.common.utils.Utils)."""
    word = 0xFFFFFFFF
    m = 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & word
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & word
        k = (k ^ k >> 24) * m & word
        h = h * m & word ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & word
    h = (h ^ h >> 13) * m & word
    return h ^ h >> 15


def ends(consumer, topic, lines):
    """Partition -> end offset, as soon as so many records are there or time is up."""
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
    while True:
        found = {partition: consumer.get_watermark_offsets(TopicPartition(topic, partition),
                                                           timeout=20)[1]
                 for partition in partitions}
        if sum(found.values()) >= lines or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


class Witness:
    """What was seen of one topic."""

    def __init__(self, lines, keys, partitions):
        self.lines, self.keys = lines, keys
        self.seen = bytearray(lines + 1)
        self.greatest = dict.fromkeys(partitions, 0)
        self.found = self.duplicated = self.foreign = self.out_of_order = self.misplaced = 0
        # Java's partitioner for a key: the hash without its sign, modulo the partitions.
        names = [f"key-{number}".encode() for number in range(keys)]
        self.names = names
        self.home = [(murmur2(name) & 0x7FFFFFFF) % len(partitions) for name in names]

    def see(self, record):
        self.found += 1
        text, partition = record.value(), record.partition()
        number = int(text) if text is not None and text.isdigit() else 0
        if not 1 <= number <= self.lines:
            self.foreign += 1
            return
        key = record.key()
        if self.keys:
            if key != self.names[number % self.keys]:
                self.foreign += 1
            elif partition != self.home[number % self.keys]:
                self.misplaced += 1
        elif key is not None:
            self.foreign += 1
        if self.seen[number]:
            self.duplicated += 1
        self.seen[number] = 1
        if number < self.greatest[partition]:
            self.out_of_order += 1
        else:
            self.greatest[partition] = number

    def answer(self):
        distinct = sum(self.seen)
        return {"found": self.found, "distinct": distinct, "missing": self.lines - distinct,
                "duplicated": self.duplicated, "foreign": self.foreign,
                "misplaced": self.misplaced, "out_of_order": self.out_of_order}


def dialect(release):
    """Settings for brokers that cannot be asked what they speak: those before Kafka 0.10."""
    if tuple(int(part) for part in release.split(".")) >= (0, 10):
        return {}
    # It warns of each use of these settings, which are to go; log level 3 is errors only.
    return {"api.version.request": False, "broker.version.fallback": release, "log_level": 3}


def examine(question):
    """Reads the topic to its present end."""
    topic, lines = question["topic"], question["lines"]
    consumer = Consumer({"bootstrap.servers": question["bootstrap"], "group.id": "witness",
                         "enable.auto.commit": False, "check.crcs": True,
                         "auto.offset.reset": "earliest"} | dialect(question["release"]))
    try:
        end = ends(consumer, topic, lines)
        open_partitions = {partition for partition, offset in end.items() if offset > 0}
        consumer.assign([TopicPartition(topic, partition, 0) for partition in open_partitions])
        witness = Witness(lines, question["keys"], list(end))
        last_record = time.monotonic()
        while open_partitions and time.monotonic() < last_record + SILENCE_TIMEOUT_S:
            for record in consumer.consume(num_messages=20_000, timeout=0.2):
                if record.error():
                    raise SystemExit(f"consumer: {record.error()}")
                last_record = time.monotonic()
                witness.see(record)
                if record.offset() + 1 >= end[record.partition()]:
                    open_partitions.discard(record.partition())
        return witness.answer() | {"ends": end}
    finally:
        consumer.close()


def main():
    for line in sys.stdin:
        print(json.dumps(examine(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
