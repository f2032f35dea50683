#!/usr/bin/env python3
"""A real Apache Kafka cluster (KRaft, one broker or more) on 127.0.0.1, for the tests.

  cluster.py up --brokers 3            prints the bootstrap servers
  cluster.py topic lines --partitions 3
  cluster.py kill 2 ; cluster.py start 2
  cluster.py status ; cluster.py down

Every broker is a controller too. Needs Java 17 or newer, and Maven for the first start of a
version.
"""

import argparse
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import admin
from jars import KAFKA_VERSION, Missing, kafka_home, kafka_jars, program, say

DEFAULT_DIR = Path(tempfile.gettempdir()) / "titorelli-kafka"
START_TIMEOUT_S = 90


def fresh_id():
    """A Kafka uuid: 16 bytes in URL-safe base64. A leading dash would read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def born(pid):
    """The start time of a process, or None when it is gone: a pid alone may be someone else's."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def is_free(port):
    """Whether a broker could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((admin.HOST, port))
        except OSError:
            return False
    return True


def all_free(first, brokers):
    """Whether the ports of so many brokers and controllers are free."""
    ports = [*range(first, first + brokers), *range(first + 10, first + 10 + brokers)]
    return all(is_free(port) for port in ports)


def choose_port(wanted, brokers):
    """The first port of so many brokers and controllers; any that are free when 0 is wanted."""
    candidates = [wanted] if wanted else range(19092, 29092, 100)
    for first in candidates:
        if all_free(first, brokers):
            return first
    raise SystemExit(f"ports {wanted or 19092} onwards are taken: something listens there already")


class Cluster:
    """The cluster whose state is in a folder: `cluster.json`, and `broker-N/` for each broker."""

    def __init__(self, folder=DEFAULT_DIR):
        self.folder = Path(folder).absolute()
        path = self.folder / "cluster.json"
        self.state = json.loads(path.read_text()) if path.exists() else None

    def save(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cluster.json").write_text(json.dumps(self.state, indent=1))

    @property
    def brokers(self):
        return range(1, self.state["brokers"] + 1)

    @property
    def bootstrap(self):
        return ",".join(f"{admin.HOST}:{self.port(broker)}" for broker in self.brokers)

    def port(self, broker):
        return self.state["port"] + broker - 1

    def broker_dir(self, broker):
        return self.folder / f"broker-{broker}"

    def up(self, brokers, port, version, configs):
        """Formats and starts a new cluster and waits until every broker sees all of them."""
        if self.state:
            self.down()
        java, jars = program("java"), kafka_jars(version)
        port = choose_port(port, brokers)
        self.state = {"version": version, "brokers": brokers, "port": port, "java": java,
                      "jars": str(jars), "id": fresh_id(), "processes": {}}
        self.save()
        for broker in self.brokers:
            self.write_properties(broker, configs)
        self.format()
        for broker in self.brokers:
            self.launch(broker)
        self.wait_until_seen(set(self.brokers))

    def write_properties(self, broker, configs):
        count, first = self.state["brokers"], self.state["port"]
        voters = ",".join(f"{n}@{admin.HOST}:{first + 9 + n}" for n in self.brokers)
        lines = {
            "process.roles": "broker,controller",
            "node.id": broker,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{admin.HOST}:{self.port(broker)},"
                         f"CONTROLLER://{admin.HOST}:{first + 9 + broker}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.broker_dir(broker) / "data",
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": min(count, 3),
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": min(count, 3),
            "transaction.state.log.min.isr": min(count, 2),
            "default.replication.factor": min(count, 3),
            "group.initial.rebalance.delay.ms": 0,
            "num.network.threads": 2,
            "num.io.threads": 2,
            "num.partitions": 3,
            # Old timestamps must not be deleted while a test looks for them.
            "log.retention.ms": -1,
            # A small machine: no 128 MiB of deduplication buffer per broker.
            "log.cleaner.dedupe.buffer.size": 8 << 20,
        }
        folder = self.broker_dir(broker)
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{key}={value}\n" for key, value in (lines | configs).items())
        (folder / "server.properties").write_text(text)

    def format(self):
        """Formats the first broker's storage with Kafka's tool; the others differ only in ids."""
        first = self.broker_dir(1)
        command = [*self.java("format"), "kafka.tools.StorageTool", "format",
                   "--cluster-id", self.state["id"], "--config", str(first / "server.properties")]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            raise SystemExit(f"the storage tool failed:\n{done.stdout[-2000:]}")
        keep_archive(self.state["version"], "format", self.folder)
        for broker in self.brokers[1:]:
            data = self.broker_dir(broker) / "data"
            shutil.copytree(first / "data", data)
            meta = data / "meta.properties"
            lines = [line for line in meta.read_text().splitlines()
                     if not line.startswith(("node.id=", "directory.id="))]
            meta.write_text("\n".join([*lines, f"node.id={broker}", f"directory.id={fresh_id()}"]))

    def java(self, role, archive_to=None):
        """The JVM and its options. Class-data sharing halves the start; a clean exit makes it."""
        archive = kafka_home(self.state["version"]) / f"{role}.jsa"
        if archive.exists():
            sharing = [f"-XX:SharedArchiveFile={archive}"]
        else:
            sharing = [f"-XX:ArchiveClassesAtExit={archive_to or self.folder / archive.name}"]
        level = "warn" if role == "format" else "info"
        return [self.state["java"], "-Xshare:auto", *sharing, "-Xlog:disable",
                "-Xlog:all=error:stderr", "-XX:+UseSerialGC", "-Xms64m", "-Xmx512m",
                "-XX:TieredStopAtLevel=1" if role == "format" else "-XX:+ExitOnOutOfMemoryError",
                f"-Dorg.slf4j.simpleLogger.defaultLogLevel={level}",
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
                "-cp", self.state["jars"] + "/*"]

    def launch(self, broker):
        """Starts one broker on its data; returns at once."""
        if self.pid(broker):
            return
        folder = self.broker_dir(broker)
        # Only one broker may write the archive: two that end together would write one file.
        archive_to = folder / "broker.jsa"
        command = [*self.java("broker", archive_to), "kafka.Kafka", "server.properties"]
        with open(folder / "server.log", "ab") as log:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, start_new_session=True)
        self.state["processes"][str(broker)] = [process.pid, born(process.pid)]
        self.save()

    def wait_until_seen(self, wanted):
        """Waits until each of these brokers sees all of them."""
        end = time.monotonic() + START_TIMEOUT_S
        for broker in wanted:
            while not (admin.live_brokers(self.port(broker)) or set()) >= wanted:
                if not self.pid(broker) or time.monotonic() > end:
                    log = self.broker_dir(broker) / "server.log"
                    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                    raise SystemExit(f"broker {broker} did not start; {log} ends with\n{tail}")
                time.sleep(0.1)

    def pid(self, broker):
        """The process id of a broker that runs, or None."""
        known = self.state["processes"].get(str(broker))
        return known[0] if known and born(known[0]) == known[1] else None

    def stop(self, brokers, how):
        """Sends these brokers a signal and waits for their end."""
        pids = {broker: pid for broker in brokers if (pid := self.pid(broker))}
        for pid in pids.values():
            os.kill(pid, how)
        end = time.monotonic() + 30
        for broker, pid in pids.items():
            while self.pid(broker):
                if time.monotonic() > end:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)

    def down(self, keep=False):
        """Stops every broker; removes the data unless asked to keep it."""
        if not self.state:
            return
        # A clean exit is slow (controlled shutdown) and only worth it for the class-data archive.
        archive = kafka_home(self.state["version"]) / "broker.jsa"
        if not archive.exists() and self.pid(1):
            self.stop(self.brokers[1:], signal.SIGKILL)
            self.stop([1], signal.SIGTERM)
            keep_archive(self.state["version"], "broker", self.broker_dir(1))
        self.stop(self.brokers, signal.SIGKILL)
        if not keep:
            shutil.rmtree(self.folder)
            self.state = None

    def create_topic(self, name, partitions, replicas, configs):
        """Creates a topic and waits until every live broker knows its leaders, and they lead."""
        live = [broker for broker in self.brokers if self.pid(broker)]
        admin.create_topic(self.port(live[0]), name, partitions, replicas, configs)
        end = time.monotonic() + 20
        while not all(self.is_ready(broker, name, partitions) for broker in live):
            if time.monotonic() > end:
                raise SystemExit(f"topic {name} does not get its leaders")
            time.sleep(0.05)

    def is_ready(self, broker, topic, partitions):
        """Whether this broker knows all leaders of the topic and leads what it should lead."""
        found = admin.leaders(self.port(broker), topic) or {}
        if len(found) < partitions or any(leader < 0 for leader, _ in found.values()):
            return False
        mine = [partition for partition, (leader, _) in found.items() if leader == broker]
        return all(admin.is_led(self.port(broker), topic, partition) for partition in mine)


def keep_archive(version, role, folder):
    """Moves a class-data archive that a JVM wrote at its exit into the cache."""
    made = folder / f"{role}.jsa"
    if made.exists():
        shutil.move(made, kafka_home(version) / f"{role}.jsa")


def pairs(texts):
    """`k=v` texts as a dictionary."""
    return dict(text.split("=", 1) for text in texts)


def status(cluster):
    """What runs, as a dictionary."""
    if not cluster.state:
        return {"running": False}
    brokers = {}
    for broker in cluster.brokers:
        port = cluster.port(broker)
        seen = admin.live_brokers(port)
        brokers[broker] = {"port": port, "pid": cluster.pid(broker),
                           "sees": sorted(seen) if seen else None,
                           "produce": admin.produce_versions(port) if seen else None}
    return {"running": True, "version": cluster.state["version"],
            "bootstrap": cluster.bootstrap, "brokers": brokers}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=os.environ.get("TITORELLI_KAFKA_DIR", DEFAULT_DIR),
                        help="where the brokers keep their data (TITORELLI_KAFKA_DIR)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="format and start a new cluster")
    up.add_argument("--brokers", type=int, default=1)
    up.add_argument("--port", type=int, default=19092, help="of broker 1; 0: any free")
    up.add_argument("--version", default=KAFKA_VERSION)
    up.add_argument("--config", action="append", default=[], metavar="K=V",
                    help="a line of server.properties")
    down = commands.add_parser("down", help="stop every broker")
    down.add_argument("--keep", action="store_true", help="keep the data")
    topic = commands.add_parser("topic", help="create a topic")
    topic.add_argument("name")
    topic.add_argument("--partitions", type=int, default=3)
    topic.add_argument("--replicas", type=int, help="default: up to three")
    topic.add_argument("--config", action="append", default=[], metavar="K=V")
    commands.add_parser("status", help="what runs, as JSON")
    kill = commands.add_parser("kill", help="kill -9 one broker")
    kill.add_argument("broker", type=int)
    kill.add_argument("--term", action="store_true", help="a clean shutdown instead")
    start = commands.add_parser("start", help="start a killed broker on its data")
    start.add_argument("broker", type=int)
    return parser.parse_args()


def main():
    args = arguments()
    cluster = Cluster(args.dir)
    if args.command == "up":
        began = time.monotonic()
        cluster.up(args.brokers, args.port, args.version, pairs(args.config))
        say(f"Apache Kafka {args.version}, {args.brokers} broker(s), "
            f"started in {time.monotonic() - began:.1f} s")
        print(cluster.bootstrap)
        return
    if args.command == "status":
        print(json.dumps(status(cluster), indent=1))
        return
    if not cluster.state:
        raise SystemExit(f"no cluster in {cluster.folder}: `up` first")
    if args.command == "down":
        cluster.down(args.keep)
    elif args.command == "topic":
        replicas = args.replicas or min(3, cluster.state["brokers"])
        cluster.create_topic(args.name, args.partitions, replicas, pairs(args.config))
    elif args.command == "kill":
        cluster.stop([args.broker], signal.SIGTERM if args.term else signal.SIGKILL)
    elif args.command == "start":
        cluster.launch(args.broker)
        live = {broker for broker in cluster.brokers if cluster.pid(broker)}
        cluster.wait_until_seen(live)


if __name__ == "__main__":
    try:
        main()
    except Missing as missing:
        raise SystemExit(f"cluster.py: {missing}") from None
