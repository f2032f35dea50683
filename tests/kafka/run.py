#!/usr/bin/env python3
"""Produces to a real Apache Kafka and lets an independent consumer count what arrived.

For one broker and for three: every codec, acks 0, 1 and all, with and without keys, one request in
flight: exactly the lines that were sent, each once, in order within its partition. Then one run
with five requests in flight, and, on three brokers, one while a broker is killed.

  run.py                     100,000 lines per case
  run.py --lines 1000000     the full proof

Without Java, Maven or the virtual environment it says `skipped`; when CI is set, that is a failure.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from cluster import Cluster
from jars import KAFKA_VERSION, Missing, consumer_python, say

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
ACKS = ["0", "1", "all"]
KEYS = 997
PARTITIONS = 3


class Failed(Exception):
    """A case that did not show what it must show."""


class Witness:
    """The consumer process: a question in, an answer out."""

    def __init__(self):
        script = Path(__file__).with_name("consume.py")
        self.process = subprocess.Popen([str(consumer_python()), str(script)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise Failed("the consumer ended")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def require(condition, words):
    if not condition:
        raise Failed(words)


def batch_codecs(cluster, topic):
    """The codecs of the batches on the brokers' disks: what was really sent, not what was asked."""
    names = dict(enumerate(CODECS))
    found = set()
    for log in cluster.folder.glob(f"broker-*/data/{topic}-*/*.log"):
        data = log.read_bytes()
        at = 0
        # Record batch v2: length at byte 8, attributes at byte 21, codec in their low three bits.
        while at + 61 <= len(data):
            size = int.from_bytes(data[at + 8:at + 12], "big")
            found.add(names[data[at + 22] & 7])
            at += 12 + size
    return found


class Proof:
    """One cluster and its cases."""

    def __init__(self, args, cluster, witness, scratch):
        self.args, self.cluster, self.witness, self.scratch = args, cluster, witness, scratch
        self.brokers = cluster.state["brokers"]
        self.passed = self.failed = 0

    def topic(self, name):
        safe = {"min.insync.replicas": "2"} if self.brokers >= 3 else {}
        self.cluster.create_topic(name, PARTITIONS, min(3, self.brokers), safe)

    def command(self, topic, settings, *more):
        command = [self.args.titorelli, "produce", "-b", self.cluster.bootstrap, "-t", topic,
                   "--report", "json", *more]
        for key, value in settings.items():
            command += ["-X", f"{key}={value}"]
        return command

    def case(self, name, check):
        """Runs one case and tells how it went."""
        began = time.monotonic()
        try:
            words = check()
            self.passed += 1
            verdict = "ok"
        except (Failed, subprocess.TimeoutExpired) as failure:
            self.failed += 1
            verdict, words = "FAILED", str(failure)
        say(f"{verdict:6} {self.brokers} broker(s)  {name:34} "
            f"{time.monotonic() - began:5.1f} s  {words}")

    def matrix(self):
        for codec in CODECS:
            for acks in ACKS:
                for keyed in (False, True):
                    name = f"{codec} acks={acks}{' keyed' if keyed else ''}"
                    self.case(name, lambda c=codec, a=acks, k=keyed: self.lines(c, a, k, 1))
        self.case("lz4 acks=all five in flight", lambda: self.lines("lz4", "all", False, 5))

    def lines(self, codec, acks, keyed, in_flight):
        """Every line arrives once; in order when one request is in flight."""
        topic = f"{codec}-{acks}-{'keyed' if keyed else 'plain'}-{in_flight}"
        self.topic(topic)
        settings = {"compression.type": codec, "acks": acks, "retries": 10, "linger.ms": 5,
                    "max.in.flight.requests.per.connection": in_flight}
        if keyed:
            report = self.produce(self.command(topic, settings, "-K", ":", str(self.keyed_file())))
        else:
            report = self.produce(self.command(topic, settings), seq=self.args.lines)
        answer = self.ask(topic, keyed)
        self.check_report(report, answer, acks)
        require(answer["found"] == answer["distinct"] == self.args.lines, f"consumer: {answer}")
        require(answer["foreign"] == answer["misplaced"] == 0, f"consumer: {answer}")
        require(in_flight > 1 or answer["out_of_order"] == 0, f"consumer: {answer}")
        written = batch_codecs(self.cluster, topic)
        # A batch which its codec would not make smaller is sent uncompressed.
        require(codec in written and written <= {codec, "none"}, f"codecs on disk: {written}")
        return f"{report['records_per_second']:,.0f} records/s"

    def keyed_file(self):
        path = self.scratch / "keyed"
        if not path.exists():
            with open(path, "w", encoding="ascii") as file:
                file.writelines(f"key-{n % KEYS}:{n}\n" for n in range(1, self.args.lines + 1))
        return path

    def produce(self, command, seq=0):
        """Runs the producer, reading `seq` through a pipe where a count is given."""
        numbers = subprocess.Popen(["seq", "1", str(seq)], stdout=subprocess.PIPE) if seq else None
        done = subprocess.run(command, stdin=numbers.stdout if numbers else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=300, check=False)
        if numbers:
            numbers.stdout.close()
            numbers.wait()
        require(done.returncode == 0, f"exit status {done.returncode}: "
                                      f"{done.stdout[-400:]} {done.stderr[-600:]}")
        return json.loads(done.stdout)

    def check_report(self, report, answer, acks):
        """The producer's report agrees with the log."""
        for name, count in {"records": self.args.lines, "acked": self.args.lines, "failed": 0,
                            "maybe_persisted": 0}.items():
            require(report[name] == count, f"report: {name} is {report[name]}, not {count}")
        require(sum(p["acked"] for p in report["partitions"].values()) == self.args.lines,
                f"report: {report['partitions']}")
        for partition, entry in report["partitions"].items():
            end = answer["ends"][partition]
            require(entry["acked"] == end, f"partition {partition}: {entry}, its log has {end}")
            offsets = (-1, -1) if acks == "0" else (0, end - 1)
            require((entry["first_offset"], entry["last_offset"]) == offsets,
                    f"partition {partition}: {entry}, expected offsets {offsets}")

    def ask(self, topic, keyed):
        return self.witness.ask(bootstrap=self.cluster.bootstrap, topic=topic,
                                lines=self.args.lines, keys=KEYS if keyed else 0)

    def failover(self):
        """A broker is killed and comes back while lines flow: nothing acknowledged is lost."""
        topic = "failover"
        self.topic(topic)
        settings = {"acks": "all", "retries": 1_000, "linger.ms": 5, "compression.type": "lz4",
                    "max.in.flight.requests.per.connection": 1}
        with subprocess.Popen(self.command(topic, settings), stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as producer:
            disturber = threading.Timer(1.0, self.kill_and_start, [2])
            disturber.start()
            self.trickle(producer.stdin, seconds=8)
            disturber.join()
            out, err = producer.communicate(timeout=180)
        require(producer.returncode == 0, f"exit status {producer.returncode}: {out} {err[-600:]}")
        report, answer = json.loads(out), self.ask(topic, False)
        require(report["acked"] == self.args.lines, f"report: {out}")
        require(answer["missing"] == answer["foreign"] == 0, f"consumer: {answer}")
        return f"{report['retries']} retries, {answer['duplicated']} duplicated, 0 lost"

    def kill_and_start(self, broker):
        self.cluster.stop([broker], signal.SIGKILL)
        time.sleep(1)
        self.cluster.launch(broker)

    def trickle(self, pipe, seconds):
        """Writes all lines, evenly over some seconds."""
        pieces, lines = seconds * 20, self.args.lines
        for piece in range(pieces):
            numbers = range(lines * piece // pieces + 1, lines * (piece + 1) // pieces + 1)
            pipe.write("".join(f"{number}\n" for number in numbers))
            pipe.flush()
            time.sleep(0.05)


def prove(args, brokers, witness, scratch):
    """All cases against a fresh cluster of so many brokers; returns (passed, failed)."""
    cluster = Cluster(scratch / f"cluster-{brokers}")
    began = time.monotonic()
    cluster.up(brokers, args.port, args.version, {})
    say(f"Apache Kafka {args.version}, {brokers} broker(s), up in "
        f"{time.monotonic() - began:.1f} s")
    try:
        proof = Proof(args, cluster, witness, scratch)
        proof.matrix()
        if brokers >= 3:
            proof.case("acks=all, broker 2 killed", proof.failover)
    finally:
        cluster.down()
    return proof.passed, proof.failed


def binary():
    target = os.environ.get("CARGO_TARGET_DIR") or Path(__file__).parents[2] / "target"
    return Path(target) / "release" / "titorelli"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--brokers", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--version", default=KAFKA_VERSION)
    parser.add_argument("--port", type=int, default=0, help="of the first broker; 0: any free")
    parser.add_argument("--titorelli", default=str(binary()), help="the release binary")
    args = parser.parse_args()
    if not Path(args.titorelli).exists():
        raise SystemExit(f"no {args.titorelli}: cargo build --release -p titorelli-cli")
    # So that the brokers end with the run, however it is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    passed = failed = 0
    try:
        witness = Witness()
        with tempfile.TemporaryDirectory(prefix="titorelli-kafka-") as scratch:
            for brokers in args.brokers:
                counts = prove(args, brokers, witness, Path(scratch))
                passed, failed = passed + counts[0], failed + counts[1]
        witness.close()
    except Missing as missing:
        print(f"kafka: skipped: {missing}")
        sys.exit(1 if os.environ.get("CI") else 0)
    print(f"kafka: {passed} cases passed, {failed} failed, {args.lines} lines each")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
