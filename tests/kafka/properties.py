"""The `server.properties` of one broker: what it is, where it listens, and with what certificate.

Owns: lines of text. Never: a process; a file, except by its name.
"""

from typing import NamedTuple

import ports
from admin import HOST
from releases import Release

#: Kafka's word for what a listener speaks.
PROTOCOLS = {"plaintext": "PLAINTEXT", "ssl": "SSL", "mtls": "SSL"}


class Listener(NamedTuple):
    """A further door of every broker, beside the plaintext one that the tests themselves use."""

    name: str
    #: `plaintext`, `ssl`, or `mtls`: the client must show a certificate too.
    security: str = "ssl"
    #: The host that brokers announce there. They listen on 127.0.0.1 whatever it is.
    host: str = "localhost"
    #: Which of `certificates.py` the broker shows.
    certificate: str = "broker"
    #: Versions of TLS.
    protocols: str = "TLSv1.2,TLSv1.3"
    #: Whether brokers announce the doors of a proxy (`Cluster.door_ports`) instead of their own.
    is_proxied: bool = False


def server_properties(state, folder, broker, configs):
    """All lines of this broker of a cluster in that folder, as a dictionary."""
    release, first = Release(state["version"]), state["port"]
    listeners = [Listener(*fields) for fields in state["listeners"]]
    lines = common(state["brokers"], folder / f"broker-{broker}" / "data")
    if release.magic > 0:
        # Old timestamps must not be deleted while a test looks for them.
        lines["log.retention.ms"] = -1
    lines |= kraft(state, broker) if release.has_kraft else zookeeper(first, broker)
    lines |= doors(release, listeners, first, broker)
    for listener in listeners:
        if PROTOCOLS[listener.security] == "SSL":
            lines |= certificate(listener, folder / "certificates")
    return lines | configs


def common(brokers, data):
    """What every broker of a small cluster has."""
    return {
        "log.dirs": data,
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": min(brokers, 3),
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.replication.factor": min(brokers, 3),
        "transaction.state.log.min.isr": min(brokers, 2),
        "default.replication.factor": min(brokers, 3),
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "num.partitions": 3,
        # A small machine: no 128 MiB of deduplication buffer per broker.
        "log.cleaner.dedupe.buffer.size": 8 << 20,
    }


def kraft(state, broker):
    """Every broker is a controller too."""
    voters = (f"{number}@{HOST}:{ports.controller(state['port'], number)}"
              for number in range(1, state["brokers"] + 1))
    return {
        "process.roles": "broker,controller",
        "node.id": broker,
        "controller.quorum.voters": ",".join(voters),
        "controller.listener.names": "CONTROLLER",
    }


def zookeeper(first, broker):
    """The cluster's state is in ZooKeeper, which may start at the same time."""
    return {
        "broker.id": broker,
        "zookeeper.connect": f"{HOST}:{first + ports.ZOOKEEPER}",
        "zookeeper.connection.timeout.ms": 60_000,
        "zookeeper.session.timeout.ms": 6_000,
        # Before Kafka 2.0 a topic could not be deleted otherwise.
        "delete.topic.enable": "true",
    }


def doors(release, listeners, first, broker):
    """Where the broker listens and what it announces."""
    port = ports.broker(first, broker)
    if release.number < (0, 9):
        return {"host.name": HOST, "port": port}
    bound, announced, spoken = [f"PLAINTEXT://{HOST}:{port}"], [f"PLAINTEXT://{HOST}:{port}"], {}
    for index, listener in enumerate(listeners):
        port = ports.listener(first, index, broker)
        bound.append(f"{listener.name}://{HOST}:{port}")
        if listener.is_proxied:
            port = ports.listener(first, len(listeners) + index, broker)
        announced.append(f"{listener.name}://{listener.host}:{port}")
        spoken[listener.name] = PROTOCOLS[listener.security]
    if release.has_kraft:
        bound.append(f"CONTROLLER://{HOST}:{ports.controller(first, broker)}")
        spoken["CONTROLLER"] = "PLAINTEXT"
    lines = {"listeners": ",".join(bound), "advertised.listeners": ",".join(announced)}
    if spoken:
        spoken["PLAINTEXT"] = "PLAINTEXT"
        words = (f"{name}:{protocol}" for name, protocol in spoken.items())
        lines["listener.security.protocol.map"] = ",".join(words)
    return lines


def certificate(listener, folder):
    """What the broker shows at that door, and what it asks for (KIP-651: PEM files)."""
    prefix = f"listener.name.{listener.name.lower()}.ssl."
    lines = {
        "keystore.type": "PEM",
        "keystore.location": folder / f"{listener.certificate}.keystore",
        "truststore.type": "PEM",
        "truststore.location": folder / "authority.pem",
        "client.auth": "required" if listener.security == "mtls" else "none",
        "enabled.protocols": listener.protocols,
    }
    return {prefix + key: value for key, value in lines.items()}
