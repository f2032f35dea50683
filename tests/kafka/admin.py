"""Four requests of the Kafka protocol, by hand: enough to see a cluster and to make topics.

Starting a JVM for the command-line tools costs seconds; a socket costs none.
Versions: ApiVersions v0, Metadata v1, CreateTopics v2, ListOffsets v1 (in Kafka 0.10.1 to 4.x).
"""

import socket
import struct

HOST = "127.0.0.1"
LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS = 2, 3, 18, 19
TOPIC_ALREADY_EXISTS = 36


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


def live_brokers(port):
    """The ids of the brokers that this one sees; None while it does not answer."""
    try:
        answer = call(port, METADATA, 1, struct.pack(">i", 0), timeout=1.0)
        ids = set()
        for _ in range(answer.take("i")):
            ids.add(answer.take("i"))
            answer.string()
            answer.take("i")
            answer.string()
        return ids
    except (OSError, struct.error):
        return None


def leaders(port, topic):
    """Partition -> (leader, in-sync replicas) of one topic; None while it has none."""
    answer = call(port, METADATA, 1, struct.pack(">i", 1) + string(topic))
    for _ in range(answer.take("i")):
        answer.take("i"), answer.string(), answer.take("i"), answer.string()
    answer.take("i")
    found = {}
    for _ in range(answer.take("i")):
        error, _name, _internal = answer.take("h"), answer.string(), answer.take("b")
        for _ in range(answer.take("i")):
            broken, partition, leader = answer.take("h"), answer.take("i"), answer.take("i")
            _replicas = [answer.take("i") for _ in range(answer.take("i"))]
            in_sync = [answer.take("i") for _ in range(answer.take("i"))]
            error = error or broken
            found[partition] = (leader, in_sync)
        if error:
            return None
    return found


def is_led(port, topic, partition):
    """Whether that broker really leads the partition: it announces so before it does.

    A Produce in between is answered with an error; with acks=0 it closes the connection, and what
    was under way is gone.
    """
    body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">iiq", 1, partition, -1)
    answer = call(port, LIST_OFFSETS, 1, body)
    answer.take("i"), answer.string(), answer.take("i"), answer.take("i")
    return answer.take("h") == 0


def produce_versions(port):
    """The range of Produce versions which that broker announces."""
    answer = call(port, API_VERSIONS, 0)
    answer.take("h")
    ranges = {}
    for _ in range(answer.take("i")):
        api = answer.take("h")
        ranges[api] = (answer.take("h"), answer.take("h"))
    return ranges.get(0)


def create_topic(port, name, partitions, replicas, configs):
    """Creates a topic; that it exists already is no error."""
    body = struct.pack(">i", 1) + string(name) + struct.pack(">ihi", partitions, replicas, 0)
    body += struct.pack(">i", len(configs))
    for key, value in configs.items():
        body += string(key) + string(value)
    body += struct.pack(">ib", 20_000, 0)
    answer = call(port, CREATE_TOPICS, 2, body, timeout=30.0)
    answer.take("i")
    for _ in range(answer.take("i")):
        answer.string()
        error, text = answer.take("h"), answer.string()
        if error not in (0, TOPIC_ALREADY_EXISTS):
            raise SystemExit(f"topic {name} was refused: error {error} {text or ''}")
