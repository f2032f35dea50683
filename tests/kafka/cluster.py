#!/usr/bin/env python3
"""A real Apache Kafka cluster (one broker or more) on 127.0.0.1, for the tests.

  cluster.py up --brokers 3            prints the bootstrap servers
  cluster.py up --security mtls        the same for a listener that speaks TLS
  cluster.py up --version 0.11.0.3     an old release, with its ZooKeeper
  cluster.py topic lines --partitions 3
  cluster.py kill 2 ; cluster.py start 2
  cluster.py status ; cluster.py down

Without ZooKeeper every broker is a controller too. Needs Java 17 or newer, Maven for the first
start of a version, and openssl for TLS.
"""

import argparse
import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import certificates
import jvm
import ports
from admin import HOST, Broker, registered_brokers
from jars import KAFKA_VERSION, Missing, kafka_jars, program, say
from properties import PROTOCOLS, Listener, server_properties
from releases import Release

DEFAULT_DIR = Path(tempfile.gettempdir()) / "titorelli-kafka"
START_TIMEOUT_S = 90
ZOOKEEPER = "zookeeper"


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


def excerpt(log):
    """The first complaints of a log, which the shutdown then buries, and its end."""
    lines = log.read_text(errors="replace").splitlines()
    complaints = [line for line in lines if " ERROR " in line or "Exception: " in line]
    return "\n".join([*complaints[:4], "...", *lines[-8:]])


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
    def release(self):
        return Release(self.state["version"])

    @property
    def bootstrap(self):
        """The plaintext listeners."""
        return ",".join(f"{HOST}:{self.port(broker)}" for broker in self.brokers)

    @property
    def certificates(self):
        """The folder of certificates; there when a listener speaks TLS."""
        return self.folder / "certificates"

    def port(self, broker):
        return ports.broker(self.state["port"], broker)

    def listener_ports(self, name):
        """The ports of a further listener, one for each broker."""
        names = [fields[0] for fields in self.state["listeners"]]
        return [ports.listener(self.state["port"], names.index(name), broker)
                for broker in self.brokers]

    def door_ports(self, name):
        """The ports that brokers announce for a proxied listener; a proxy is to listen there."""
        names = [fields[0] for fields in self.state["listeners"]]
        index = len(names) + names.index(name)
        return [ports.listener(self.state["port"], index, broker) for broker in self.brokers]

    def admin(self, broker):
        return Broker(self.port(broker), self.release)

    def broker_dir(self, broker):
        return self.folder / f"broker-{broker}"

    def up(self, brokers, port, version, configs, listeners=()):
        """Formats and starts a new cluster and waits until every broker sees all of them.

        Every broker has a plaintext listener, which the tests use, and those that are given.
        """
        if self.state:
            self.down()
        java, jars = program("java"), kafka_jars(version)
        proxied = len(listeners) if any(listener.is_proxied for listener in listeners) else 0
        port = ports.choose(port, brokers, len(listeners) + proxied)
        self.state = {"version": version, "brokers": brokers, "port": port, "java": java,
                      "jars": str(jars), "id": fresh_id(), "processes": {},
                      "listeners": [tuple(listener) for listener in listeners]}
        self.save()
        if any(PROTOCOLS[listener.security] == "SSL" for listener in listeners):
            certificates.make(self.certificates)
        for broker in self.brokers:
            self.write_properties(broker, configs)
        if self.release.has_kraft:
            self.format()
        else:
            self.launch_zookeeper()
        for broker in self.brokers:
            self.launch(broker)
        self.wait_until_seen(set(self.brokers))

    def write_properties(self, broker, configs):
        lines = server_properties(self.state, self.folder, broker, configs)
        folder = self.broker_dir(broker)
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (folder / "server.properties").write_text(text)

    def format(self):
        """Formats the first broker's storage with Kafka's tool; the others differ only in ids."""
        first = self.broker_dir(1)
        command = jvm.command(self.state, "format", self.folder, "format", "--cluster-id",
                              self.state["id"], "--config", first / "server.properties")
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            raise SystemExit(f"the storage tool failed:\n{done.stdout[-2000:]}")
        jvm.keep_archive(self.state["version"], "format", self.folder)
        for broker in self.brokers[1:]:
            data = self.broker_dir(broker) / "data"
            shutil.copytree(first / "data", data)
            meta = data / "meta.properties"
            lines = [line for line in meta.read_text().splitlines()
                     if not line.startswith(("node.id=", "directory.id="))]
            meta.write_text("\n".join([*lines, f"node.id={broker}", f"directory.id={fresh_id()}"]))

    def launch_zookeeper(self):
        """Starts ZooKeeper; returns at once."""
        folder = self.folder / ZOOKEEPER
        folder.mkdir(parents=True, exist_ok=True)
        lines = {"dataDir": folder / "data", "clientPortAddress": HOST,
                 "clientPort": self.state["port"] + ports.ZOOKEEPER, "tickTime": 2_000,
                 "maxClientCnxns": 0, "admin.enableServer": "false",
                 "4lw.commands.whitelist": "dump"}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (folder / "zookeeper.properties").write_text(text)
        self.spawn(ZOOKEEPER, jvm.command(self.state, "zookeeper", folder, "zookeeper.properties"))

    def launch(self, broker):
        """Starts one broker on its data; returns at once, where no ZooKeeper must forget it first.

        A broker that was killed is registered until its session ends, and another one of that
        number refuses to start.
        """
        if self.pid(broker):
            return
        end = time.monotonic() + START_TIMEOUT_S
        while not self.release.has_kraft and broker in self.registered():
            if time.monotonic() > end:
                raise SystemExit(f"ZooKeeper does not forget the broker {broker} that ended")
            time.sleep(0.1)
        # Only one broker may write the archive: two that end together would write one file.
        folder = self.broker_dir(broker)
        self.spawn(folder.name, jvm.command(self.state, "broker", folder, "server.properties"))

    def registered(self):
        return registered_brokers(self.state["port"] + ports.ZOOKEEPER)

    def spawn(self, name, command):
        """Starts a process in the folder of that name, which gets its log."""
        folder = self.folder / name
        with open(folder / "server.log", "ab") as log:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, start_new_session=True)
        self.state["processes"][name] = [process.pid, born(process.pid)]
        self.save()

    def wait_until_seen(self, wanted):
        """Waits until each of these brokers sees all of them."""
        end = time.monotonic() + START_TIMEOUT_S
        for broker in wanted:
            while not (self.admin(broker).live_brokers() or set()) >= wanted:
                if not self.pid(broker) or time.monotonic() > end:
                    raise SystemExit(f"broker {broker} did not start; in its log:\n"
                                     f"{excerpt(self.broker_dir(broker) / 'server.log')}")
                time.sleep(0.1)

    def pid(self, broker):
        """The process id of a broker that runs, or None."""
        return self.pid_of(f"broker-{broker}")

    def pid_of(self, name):
        known = self.state["processes"].get(name)
        return known[0] if known and born(known[0]) == known[1] else None

    def stop(self, brokers, how):
        """Sends these brokers a signal and waits for their end."""
        self.end([f"broker-{broker}" for broker in brokers], how)

    def end(self, names, how):
        pids = {name: pid for name in names if (pid := self.pid_of(name))}
        for pid in pids.values():
            os.kill(pid, how)
        end = time.monotonic() + 30
        for name, pid in pids.items():
            while self.pid_of(name):
                if time.monotonic() > end:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)

    def down(self, keep=False):
        """Stops every process; removes the data unless asked to keep it."""
        if not self.state:
            return
        # A clean exit is slow (controlled shutdown) and only worth it for the class-data archive.
        version = self.state["version"]
        if not jvm.has_archive(version, "broker") and self.pid(1):
            self.stop(self.brokers[1:], signal.SIGKILL)
            self.stop([1], signal.SIGTERM)
            jvm.keep_archive(version, "broker", self.broker_dir(1))
        self.end(self.state["processes"], signal.SIGKILL)
        if not keep:
            shutil.rmtree(self.folder)
            self.state = None

    def create_topic(self, name, partitions, replicas, configs):
        """Creates a topic and waits until every live broker knows its leaders, and they lead."""
        live = [broker for broker in self.brokers if self.pid(broker)]
        self.admin(live[0]).create_topic(name, partitions, replicas, configs)
        end = time.monotonic() + 20
        while not all(self.is_ready(broker, name, partitions) for broker in live):
            if time.monotonic() > end:
                raise SystemExit(f"topic {name} does not get its leaders")
            time.sleep(0.05)

    def is_ready(self, broker, topic, partitions):
        """Whether this broker knows all leaders of the topic and leads what it should lead."""
        found = self.admin(broker).leaders(topic) or {}
        if len(found) < partitions or any(leader < 0 for leader, _ in found.values()):
            return False
        mine = [partition for partition, (leader, _) in found.items() if leader == broker]
        return all(self.admin(broker).is_led(topic, partition) for partition in mine)


def pairs(texts):
    """`k=v` texts as a dictionary."""
    return dict(text.split("=", 1) for text in texts)


def status(cluster):
    """What runs, as a dictionary."""
    if not cluster.state:
        return {"running": False}
    brokers = {}
    for broker in cluster.brokers:
        admin = cluster.admin(broker)
        seen = admin.live_brokers()
        brokers[broker] = {"port": admin.port, "pid": cluster.pid(broker),
                           "sees": sorted(seen) if seen else None,
                           "produce": admin.produce_versions() if seen else None}
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
    up.add_argument("--security", choices=PROTOCOLS, default="plaintext",
                    help="of a second listener, whose addresses are printed then")
    up.add_argument("--host", default="localhost", help="what that listener announces")
    up.add_argument("--certificate", default="broker", help="of those in certificates.py")
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


def up(args, cluster):
    """Starts a cluster and prints where it listens."""
    began = time.monotonic()
    listeners, addresses = [], None
    if args.security != "plaintext":
        listeners = [Listener("CLIENT", args.security, args.host, args.certificate)]
    cluster.up(args.brokers, args.port, args.version, pairs(args.config), listeners)
    say(f"Apache Kafka {args.version}, {args.brokers} broker(s), "
        f"started in {time.monotonic() - began:.1f} s")
    if listeners:
        say(f"certificates: {cluster.certificates}; plaintext: {cluster.bootstrap}")
        addresses = ",".join(f"{args.host}:{port}" for port in cluster.listener_ports("CLIENT"))
    print(addresses or cluster.bootstrap)


def main():
    args = arguments()
    cluster = Cluster(args.dir)
    if args.command == "up":
        up(args, cluster)
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
