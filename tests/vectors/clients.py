"""Asks the partitioner of a Python client, or of librdkafka, about keys; started by `make.py`.

    clients.py NAME COUNT ... < keys    # the client's version, then a line per key
"""

import ctypes
import sys
from pathlib import Path

#: Calls after which a partitioner that draws at random has shown it, of so many partitions.
TRIES = 20
TRIED_PARTITIONS = 1000


def key_of(word):
    """The key that a word stands for."""
    named = {"null": None, "empty": b""}
    return named[word] if word in named else bytes.fromhex(word)


def librdkafka(name):
    """The version, and the exported partitioner of this name as a function of key and count."""
    import confluent_kafka
    home = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(home.glob("librdkafka*"))))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_topic_new"):
        getattr(library, function).restype = ctypes.c_void_p
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    words = ctypes.create_string_buffer(512)
    library.rd_kafka_conf_set(conf, b"log_level", b"0", words, 512)
    # A random draw asks whether the partition has a leader: it needs a topic, known or not.
    producer = ctypes.c_void_p(library.rd_kafka_new(0, conf, words, 512))
    topic = library.rd_kafka_topic_new(producer, b"topic", None)
    partitioner = getattr(library, f"rd_kafka_msg_partitioner_{name}")
    partitioner.restype = ctypes.c_int32
    partitioner.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int32,
                            ctypes.c_void_p, ctypes.c_void_p]

    def choose(key, count):
        return partitioner(topic, key, 0 if key is None else len(key), count, None, None)

    return confluent_kafka.libversion()[0], choose


def kafka_python():
    """The version, and the default partitioner as a function of key and count."""
    import kafka
    from kafka.partitioner.default import DefaultPartitioner

    class Cluster:
        """A topic with so many partitions, all of them with a leader."""

        def __init__(self, count):
            self.partitions = range(count)

        def topics(self):
            return {"topic"}

        def partitions_for_topic(self, _topic):
            return self.partitions

        available_partitions_for_topic = partitions_for_topic

    def choose(key, count):
        return DefaultPartitioner().partition("topic", key, key, None, None, Cluster(count))

    return kafka.__version__, choose


def main():
    name, counts = sys.argv[1], [int(count) for count in sys.argv[2:]]
    if name == "kafka-python":
        version, choose = kafka_python()
        # It lists every partition.
        counts = [count for count in counts if count <= TRIED_PARTITIONS]
    else:
        version, choose = librdkafka(name)
    print(version)
    for word in sys.stdin.read().split():
        key = key_of(word)
        tries = {choose(key, TRIED_PARTITIONS) for _ in range(TRIES)}
        print("-" if len(tries) > 1 else " ".join(str(choose(key, count)) for count in counts))


main()
