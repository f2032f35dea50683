#!/usr/bin/env python3
"""Other producers against the embedded cluster: what they send must be found in its logs, exactly.

    tests/interop/run.py [CLIENT ...]      # kafka-python, confluent, java; all of them by default

Every client runs with every codec, with and without idempotence; while an idempotent one runs,
leaders move and connections are cut, and still every record must be there once and in order.
Prints `skipped` for a client whose tools are missing; that is a failure when CI is set.
Needs cargo; a virtual environment and Maven's output go to $INTEROP_DIR (default: a folder in
the temporary directory, kept between runs).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from records import PARTITIONS, record

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = Path(os.environ.get("INTEROP_DIR", Path(tempfile.gettempdir()) / "titorelli-interop"))
PACKAGES = ["kafka-python", "confluent-kafka", "lz4", "zstandard", "python-snappy", "crc32c"]
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
COUNT = 3_000


class Missing(Exception):
    """A tool that a client needs is not here."""


class Cluster:
    """The example program `serve_and_dump` and its command line."""

    def __init__(self):
        build = ["cargo", "build", "-p", "titorelli-serve", "--example", "serve_and_dump"]
        subprocess.run(build, cwd=ROOT, check=True)
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        program = target / "debug" / "examples" / "serve_and_dump"
        self.process = subprocess.Popen(
            [program, "3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.bootstrap = self.process.stdout.readline().strip()

    def command(self, line):
        """Sends one command and returns the lines before its `ok`."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        lines = []
        while (answer := self.process.stdout.readline().rstrip("\n")) != "ok":
            if not answer:
                sys.exit(f"the cluster ended at: {line}")
            lines.append(answer)
        return lines

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def python_client(script):
    """The command of a Python client, in a virtual environment made on first use."""
    home = WORK / "venv"
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        venv.create(home, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", *PACKAGES]
        if subprocess.run(install).returncode != 0:
            raise Missing("pip cannot install the clients")
        (home / "ready").touch()
    return [str(python), str(HERE / script)]


def java_client():
    """The command of the Java producer, compiled on first use."""
    if not (shutil.which("java") and shutil.which("mvn")):
        raise Missing("no java or mvn")
    build = WORK / "java"
    shutil.copytree(HERE / "java", build, dirs_exist_ok=True)
    goals = ["compile", "dependency:copy-dependencies"]
    if subprocess.run(["mvn", "-q", "-B", *goals], cwd=build).returncode != 0:
        raise Missing("Maven cannot build the client")
    path = f"{build}/target/classes:{build}/target/dependency/*"
    return ["java", "-Xmx256m", "-cp", path, "Interop"]


CLIENTS = {
    "kafka-python": lambda: python_client("kafka_python_client.py"),
    "confluent": lambda: python_client("confluent_client.py"),
    "java": java_client,
}


def disturb(cluster, topic, round_):
    """Moves every leader of the topic; every third time the connections are cut, too."""
    for partition in range(PARTITIONS):
        cluster.command(f"move {topic} {partition} {(partition + round_) % 3 + 1}")
    if round_ % 3 == 2:
        cluster.command("cut")


def has_begun(cluster, topic):
    """Whether every partition has a record, and with it the state of the producer.

    A broker without that state takes any first sequence number, as in Kafka. When the leader moves
    under the very first batch, the second may overtake it, and the first is out of order for good:
    the Java producer then retries it for two minutes. That is not what is tried here.
    """
    return all(int(count) > 0 for count in cluster.command(f"counts {topic}"))


def run(cluster, command, topic, codec, acks, idempotent):
    """One run of a client; returns how often the cluster was disturbed."""
    cluster.command(f"topic {topic} {PARTITIONS}")
    arguments = [cluster.bootstrap, topic, codec, acks, str(idempotent).lower(), str(COUNT)]
    process = subprocess.Popen([*command, *arguments], cwd=HERE)
    deadline = time.monotonic() + 90
    rounds = 0
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"{topic}: the client did not end")
        time.sleep(0.1)
        if idempotent and rounds < 12 and has_begun(cluster, topic):
            rounds += 1
            disturb(cluster, topic, rounds)
    assert process.returncode == 0, f"{topic}: the client failed"
    return rounds


def hexadecimal(value):
    return None if value is None else value.hex()


def check(cluster, topic, codec, idempotent):
    """Compares the logs with what was sent: content, order, codec, producer id."""
    found = [[] for _ in range(PARTITIONS)]
    codecs = set()
    for line in cluster.command("dump"):
        entry = json.loads(line)
        if entry["topic"] != topic:
            continue
        log = found[entry["partition"]]
        assert entry["offset"] == len(log), f"{topic}: offsets have a gap"
        assert (entry["producer_id"] >= 0) == idempotent, f"{topic}: producer id"
        codecs.add(entry["codec"])
        headers = [tuple(header) for header in entry["headers"]]
        log.append((entry["key"], entry["value"], headers, entry["timestamp"]))
    sent = [[] for _ in range(PARTITIONS)]
    for index in range(COUNT):
        partition, key, value, headers, timestamp = record(index)
        headers = [(name.encode().hex(), data.hex()) for name, data in headers]
        sent[partition].append((hexadecimal(key), hexadecimal(value), headers, timestamp))
    for partition in range(PARTITIONS):
        counts = (len(found[partition]), len(sent[partition]))
        assert found[partition] == sent[partition], f"{topic}/{partition}: {counts}"
    # librdkafka leaves a batch uncompressed when compression does not pay.
    assert codec in codecs and codecs <= {codec, "none"}, f"{topic}: codecs {codecs}"


def main():
    names = sys.argv[1:] or list(CLIENTS)
    WORK.mkdir(parents=True, exist_ok=True)
    cluster = Cluster()
    skipped = 0
    for name in names:
        try:
            command = CLIENTS[name]()
        except Missing as reason:
            print(f"{name}: skipped ({reason})")
            skipped += 1
            continue
        for codec in CODECS:
            for acks, idempotent in (("-1", True), ("1", False), ("0", False)):
                kind = "idempotent" if idempotent else f"acks{acks}"
                topic = f"{name}-{codec}-{kind}"
                rounds = run(cluster, command, topic, codec, acks, idempotent)
                check(cluster, topic, codec, idempotent)
                print(f"{topic}: {COUNT} records as sent, {rounds} disturbances", flush=True)
    cluster.close()
    if skipped and os.environ.get("CI"):
        sys.exit("nothing may be skipped in CI")


if __name__ == "__main__":
    main()
