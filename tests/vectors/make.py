#!/usr/bin/env python3
"""Writes the vectors of this folder: where other clients send records.

    tests/vectors/make.py [java | sticky | librdkafka | kafka-python ...]    # all by default

Every vector comes from running the other client's own code, and two runs write the same files but
for `java-sticky.txt`, which counts what Java draws at random. `tests/it/vectors.rs` compares this
client with every line. Needs Java 17 and Maven for the Java client, Python 3.9 with venv for the
others; what it fetches goes where `tests/kafka/jars.py` keeps it.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "kafka"))

import jars  # noqa: E402  (found by the line above)

#: The newest Java client, which spreads by KIP-794, and the last with the cache of KIP-480.
KAFKA_VERSION = "4.4.0"
KAFKA_VERSION_STICKY = "3.9.2"

#: Partition counts of the keyed vectors. The last one shows nearly all of the hash.
COUNTS = [1, 2, 3, 7, 12, 100, 1000, 2147483647]

#: Keys of each of these lengths come first.
LENGTHS = [*range(65), *range(65, 300, 9), 127, 128, 255, 256, 257, 299, 300]
WORDS = ["customer", "straße", "Прага", "東京", "naïve", "ключ", "🎨", "user@example.com", "ñandú"]


def bytes_of(seed, length):
    """So many bytes that look random and are the same every time."""
    blocks = (hashlib.sha256(f"{seed}/{n}".encode()).digest() for n in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def keys():
    """The keys, null among them, each once."""
    found = {None: None}
    for length in LENGTHS:
        found[bytes_of("length", length)] = None
        found[bytes([0xff]) * length] = None
    for number in range(240):
        found[f"{WORDS[number % len(WORDS)]}-{number * number}".encode()] = None
        found[(number * 65_537).to_bytes(4, "big")] = None
        found[(number * 0x1_0000_0001_0001 - 99).to_bytes(8, "big", signed=True)] = None
        found[bytes_of(f"key {number}", 1 + number % 40)] = None
    return list(found)


def word_of(key):
    """A key as one word: hexadecimal, or what it is."""
    if key is None:
        return "null"
    return key.hex() or "empty"


def write(name, lines, *origin):
    """Writes a file with its origin on top; returns nothing and tells its size."""
    text = "".join(f"{line}\n" for line in [*(f"# {words}" for words in origin), *lines])
    (HERE / name).write_text(text, encoding="ascii")
    jars.say(f"{name}: {len(lines)} lines, {len(text)} bytes")


def java(version, program, *arguments, given=""):
    """Runs one of the Java programs with the jars of a version; its standard output, by line."""
    jars.program("java")
    path = f"{jars.kafka_jars(version)}/*"
    with tempfile.TemporaryDirectory() as classes:
        source = HERE / "java" / f"{program}.java"
        subprocess.run([jars.program("javac"), "-d", classes, "-cp", path, source], check=True)
        main = f"org.apache.kafka.clients.producer.internals.{program}"
        command = ["java", "-cp", os.pathsep.join([classes, path]), main, *map(str, arguments)]
        told = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True, check=True)
    return told.stdout.splitlines()


def make_java():
    client = f"kafka-clients {KAFKA_VERSION}"
    words = "".join(f"{word_of(key)}\n" for key in keys())
    write("java-murmur2.txt", java(KAFKA_VERSION, "Vectors", "murmur2", *COUNTS, given=words),
          f"{client}: Utils.murmur2, then BuiltInPartitioner.partitionForKey",
          f"for the keys of keys.txt and {COUNTS} partitions; null keys are not asked about")
    write("java-round-robin.txt", java(KAFKA_VERSION, "Vectors", "round-robin"),
          f"{client}: RoundRobinPartitioner, one for the whole file",
          "topic, first turn if it is set, partitions, those with a leader; the choices in turn")
    write("java-adaptive.txt", java(KAFKA_VERSION, "Vectors", "adaptive"),
          f"{client}: BuiltInPartitioner.updatePartitionLoadStats, then nextPartition",
          "queue sizes; their partitions; how many of those count; partitions, those with a leader;",
          "random number:choice")
    write("java-switching.txt", java(KAFKA_VERSION, "Vectors", "switching"),
          f"{client}: BuiltInPartitioner.updatePartitionInfo",
          "stickyBatchSize; appendedBytes:enableSwitch:whether it switched")


def make_sticky():
    write("java-sticky.txt", java(KAFKA_VERSION_STICKY, "Sticky"),
          f"kafka-clients {KAFKA_VERSION_STICKY}: StickyPartitionCache.nextPartition, at random",
          "partitions, those with a leader; draws, how many were the one before again;",
          "how often each partition was drawn")


def python():
    """The Python of the environment that has both Python clients."""
    path = jars.consumer_python()
    probe = [str(path), "-c", "import kafka"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        subprocess.run([str(path), "-m", "pip", "install", "-q", "kafka-python"], check=True)
    return path


def ask_python(client):
    """Runs `clients.py` and returns its lines, the first of which names the client."""
    words = "".join(f"{word_of(key)}\n" for key in keys())
    command = [str(python()), str(HERE / "clients.py"), client, *map(str, COUNTS)]
    told = subprocess.run(command, input=words, stdout=subprocess.PIPE, text=True, check=True)
    return told.stdout.splitlines()


def make_librdkafka():
    for name in ["random", "consistent", "consistent_random", "murmur2", "murmur2_random",
                 "fnv1a", "fnv1a_random"]:
        version, *lines = ask_python(name)
        write(f"librdkafka-{name}.txt", lines,
              f"librdkafka {version}: rd_kafka_msg_partitioner_{name}",
              f"for the keys of keys.txt and {COUNTS} partitions; '-' where it draws at random")


def make_kafka_python():
    version, *lines = ask_python("kafka-python")
    write("kafka-python.txt", lines,
          f"kafka-python {version}: murmur2, then its default partitioner",
          f"for the keys of keys.txt and {COUNTS} partitions; '-' where it draws at random")


MAKERS = {"java": make_java, "sticky": make_sticky, "librdkafka": make_librdkafka,
          "kafka-python": make_kafka_python}


def main():
    names = sys.argv[1:] or list(MAKERS)
    if unknown := [name for name in names if name not in MAKERS]:
        sys.exit(f"{unknown[0]} is none of {', '.join(MAKERS)}")
    write("keys.txt", [word_of(key) for key in keys()], "the keys, in hexadecimal")
    for name in names:
        MAKERS[name]()


if __name__ == "__main__":
    try:
        main()
    except jars.Missing as missing:
        sys.exit(f"this machine lacks something: {missing}")
