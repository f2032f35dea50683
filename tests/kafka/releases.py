"""What differs between the releases of Apache Kafka, as far as the tests must know it.

Owns: facts, and where each begins. Never: a process, a file, a socket.
"""

from dataclasses import dataclass
from functools import cached_property

#: Packages that a modern Java opens to the class path for releases that look into them.
OPENED = ["java.lang", "java.nio", "java.util", "java.util.concurrent", "sun.nio.ch"]


@dataclass(frozen=True)
class Release:
    """One release, by the number of its jars: `0.11.0.3`, `4.4.0`."""

    text: str

    @cached_property
    def number(self):
        """The number as a tuple, so that releases compare."""
        return tuple(int(part) for part in self.text.split("."))

    @property
    def has_kraft(self):
        """Whether brokers elect their controller themselves; before, ZooKeeper keeps the state."""
        return self.number >= (3, 3)

    @property
    def has_api_versions(self):
        """Whether a client can ask which versions are spoken (KIP-35)."""
        return self.number >= (0, 10)

    @property
    def has_create_topics(self):
        """Whether CreateTopics v2 is there; before, asking for a topic makes it."""
        return self.number >= (0, 11)

    @property
    def is_careless_at_close(self):
        """Whether requests that need no answer may suffer when their connection ends.

        What it has received and not yet carried out, 0.9.0.1 forgets, and 0.10.2.2 carries out in
        any order. No producer knows.
        """
        return (0, 9) <= self.number < (0, 11)

    @property
    def magic(self):
        """The format of records on disk: message sets 0 and 1 (KIP-32), batches 2 (KIP-98)."""
        return 0 if self.number < (0, 10) else 1 if self.number < (0, 11) else 2

    @property
    def codecs(self):
        """The codecs that its brokers take: zstd came last (KIP-110)."""
        return ["none", "gzip", "snappy", "lz4", *(["zstd"] if self.number >= (2, 1) else [])]

    @property
    def oldest_client(self):
        """The oldest release whose versions of Metadata and Produce it still speaks (KIP-896)."""
        return "2.1" if self.number >= (4, 0) else "0.8.2"

    @property
    def artifacts(self):
        """The jars of a broker as `group:artifact:version`; what is nearer to the top wins."""
        scala = "2.11" if self.number < (1, 0) else "2.12" if self.number < (2, 4) else "2.13"
        # slf4j-simple logs to standard error without a configuration file; before Kafka 4.0 the
        # brokers know log4j only, whose calls go the same way.
        found = ["org.slf4j:slf4j-simple:1.7.36"]
        if self.number < (4, 0):
            found.append("org.slf4j:log4j-over-slf4j:1.7.36")
        if (0, 10, 1) <= self.number < (1, 1):
            # javax.xml.bind.DatatypeConverter was a part of Java until 11.
            found.append("javax.xml.bind:jaxb-api:2.3.1")
        if (2, 0) <= self.number < (2, 4):
            # The ZooKeeper that these bring (3.4.13) resolves no host name on Java 14 and newer.
            found.append("org.apache.zookeeper:zookeeper:3.4.10")
        return [*found, f"org.apache.kafka:kafka_{scala}:{self.text}"]

    @property
    def java_options(self):
        """Options without which a modern Java does not run it."""
        if self.number >= (3, 0):
            return []
        return [option for package in OPENED
                for option in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")]
