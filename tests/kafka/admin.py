"""A few requests of the Kafka protocol, by hand: enough to see a cluster and to make topics.

Starting a JVM for the command-line tools costs seconds; a socket costs none.
Versions: ApiVersions v0, Metadata v1, CreateTopics v2, ListOffsets v1 (in Kafka 0.11 to 4.x);
before, Metadata v0 and ListOffsets v0. ElectLeaders v1 and AlterPartitionReassignments v0 (2.4 on).
"""

import re
import socket
import struct

HOST = "127.0.0.1"
LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS = 2, 3, 18, 19
ELECT_LEADERS, REASSIGN = 43, 45
TOPIC_ALREADY_EXISTS = 36
#: No tagged fields follow (KIP-482).
NO_TAGS = b"\0"


class Reader:
    """A cursor over the bytes of one response."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        """One number of that `struct` layout."""
        (number,) = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return number

    def string(self):
        """A string with a two-byte length; None when null."""
        length = self.take("h")
        if length < 0:
            return None
        self.at += length
        return self.data[self.at - length:self.at].decode()


def string(text):
    """A string with a two-byte length, encoded."""
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def compact(count):
    """A length below 127 as flexible versions write it."""
    return bytes([count + 1])


def call(port, api, version, body=b"", timeout=5.0):
    """Sends one request to a broker on this machine and returns a reader of its answer."""
    request = struct.pack(">hhi", api, version, 1) + string("titorelli-tests") + body
    with socket.create_connection((HOST, port), timeout=timeout) as peer:
        peer.sendall(struct.pack(">i", len(request)) + request)
        stream = peer.makefile("rb")
        (size,) = struct.unpack(">i", exactly(stream, 4))
        answer = Reader(exactly(stream, size))
    if answer.take("i") != 1:
        raise OSError("the answer has another correlation id")
    return answer


def exactly(stream, size):
    """So many bytes, or `OSError`."""
    data = stream.read(size)
    if len(data) != size:
        raise OSError("the broker closed the connection")
    return data


def registered_brokers(zookeeper):
    """The ids of the brokers that ZooKeeper, at that port, holds for alive; none when it is down.

    A broker that was killed is among them until its session ends.
    """
    try:
        with socket.create_connection((HOST, zookeeper), timeout=5.0) as peer:
            peer.sendall(b"dump")
            answer = peer.makefile("rb").read()
    except OSError:
        return set()
    return {int(number) for number in re.findall(rb"/brokers/ids/(\d+)", answer)}


class Broker:
    """A broker of a known release behind a plaintext port of this machine."""

    def __init__(self, port, release):
        self.port, self.release = port, release
        self.version = 1 if release.has_create_topics else 0

    def metadata(self, topics, timeout=5.0):
        """What Metadata says of these topics: broker ids, and partition -> (leader, in-sync).

        The partitions are those of the last topic; None where it has an error.
        """
        body = struct.pack(">i", len(topics)) + b"".join(map(string, topics))
        answer = call(self.port, METADATA, self.version, body, timeout)
        ids, found, error = set(), {}, 0
        for _ in range(answer.take("i")):
            ids.add(answer.take("i"))
            answer.string(), answer.take("i"), self.version and answer.string()
        if self.version:
            answer.take("i")
        for _ in range(answer.take("i")):
            error, _name = answer.take("h"), answer.string()
            found, _internal = {}, self.version and answer.take("b")
            for _ in range(answer.take("i")):
                broken, partition, leader = answer.take("h"), answer.take("i"), answer.take("i")
                _replicas = [answer.take("i") for _ in range(answer.take("i"))]
                in_sync = [answer.take("i") for _ in range(answer.take("i"))]
                error = error or broken
                found[partition] = (leader, in_sync)
        return ids, None if error else found

    def live_brokers(self):
        """The ids of the brokers that this one sees; None while it does not answer."""
        # Kafka 0.8 tells of brokers from the first topic on, which it makes when it is asked for.
        topics = ["awake"] if self.release.number < (0, 9) else []
        try:
            return self.metadata(topics, timeout=1.0)[0]
        except (OSError, struct.error):
            return None

    def leaders(self, topic):
        """Partition -> (leader, in-sync replicas) of one topic; None while it has none."""
        return self.metadata([topic])[1]

    def is_led(self, topic, partition):
        """Whether this broker really leads the partition: it announces so before it does.

        A Produce in between is answered with an error; with acks=0 it closes the connection, and
        what was under way is gone.
        """
        body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">iiq", 1, partition, -1)
        if self.version == 0:
            body += struct.pack(">i", 1)
        answer = call(self.port, LIST_OFFSETS, self.version, body)
        answer.take("i"), answer.string(), answer.take("i"), answer.take("i")
        return answer.take("h") == 0

    def produce_versions(self):
        """The range of Produce versions which this broker announces; None if it announces none."""
        if not self.release.has_api_versions:
            return None
        answer = call(self.port, API_VERSIONS, 0)
        answer.take("h")
        ranges = {}
        for _ in range(answer.take("i")):
            api = answer.take("h")
            ranges[api] = (answer.take("h"), answer.take("h"))
        return ranges.get(0)

    def create_topic(self, name, partitions, replicas, configs):
        """Creates a topic; that it exists already is no error."""
        if not self.release.has_create_topics:
            # It is made because it is asked for, as the broker's defaults say.
            self.metadata([name])
            return
        body = struct.pack(">i", 1) + string(name) + struct.pack(">ihi", partitions, replicas, 0)
        body += struct.pack(">i", len(configs))
        for key, value in configs.items():
            body += string(key) + string(value)
        body += struct.pack(">ib", 20_000, 0)
        answer = call(self.port, CREATE_TOPICS, 2, body, timeout=30.0)
        answer.take("i")
        for _ in range(answer.take("i")):
            answer.string()
            error, text = answer.take("h"), answer.string()
            if error not in (0, TOPIC_ALREADY_EXISTS):
                raise SystemExit(f"topic {name} was refused: error {error} {text or ''}")

    def elect_preferred(self, topic, partitions):
        """The first replica of each of these partitions leads again; not when it may not lead."""
        body = struct.pack(">bi", 0, 1) + string(topic) + struct.pack(">i", len(partitions))
        body += struct.pack(f">{len(partitions)}ii", *partitions, 10_000)
        answer = call(self.port, ELECT_LEADERS, 1, body, timeout=15.0)
        answer.take("i")
        if error := answer.take("h"):
            raise OSError(f"the election was refused: error {error}")

    def reassign(self, topic, assignment):
        """Gives partitions (partition -> broker ids, the preferred leader first) other replicas."""
        body = NO_TAGS + struct.pack(">i", 20_000) + compact(1)
        body += compact(len(topic)) + topic.encode() + compact(len(assignment))
        for partition, replicas in assignment.items():
            body += struct.pack(">i", partition) + compact(len(replicas))
            body += struct.pack(f">{len(replicas)}i", *replicas) + NO_TAGS
        answer = call(self.port, REASSIGN, 0, body + NO_TAGS + NO_TAGS, timeout=30.0)
        _tags, _throttle = answer.take("b"), answer.take("i")
        if error := answer.take("h"):
            raise OSError(f"the reassignment was refused: error {error}")
