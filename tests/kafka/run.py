#!/usr/bin/env python3
"""Produces to a real Apache Kafka and lets an independent consumer count what arrived.

For one broker and for three: every codec, acks 0, 1 and all, with and without keys, one request in
flight: exactly the lines that were sent, each once, in order within its partition. Then one run
with five requests in flight, and, on three brokers, one while a broker is killed.

  run.py                               100,000 lines per case
  run.py --lines 1000000               the full proof
  run.py --versions 0.11.0.3 2.8.2     the same cases on one broker of each of these releases
  run.py --versions 2.8.2 --cases pinned   those with `api_version` told instead of asked
  run.py --client confluent            with another producer: is it the cluster's fault?

Without Java, Maven or the virtual environment it says `skipped`; when CI is set, that is a failure.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import proof
from cluster import Cluster
from jars import KAFKA_VERSION, Missing, say
from matrix import Matrix
from proof import Tally, Witness, require

#: Lines per case when releases are proven: what they do differently shows in the first request.
RELEASE_LINES = 3_000
#: Of a release: everything arrives; the same with `api_version` told; what it does not know.
CASES = ["delivered", "pinned", "refused"]


def failover(matrix):
    """A broker is killed and comes back while lines flow: nothing acknowledged is lost."""
    topic = "failover"
    matrix.topic(topic)
    settings = {"acks": "all", "retries": 1_000, "linger.ms": 5, "compression.type": "lz4",
                "max.in.flight.requests.per.connection": 1}
    with subprocess.Popen(matrix.command(topic, settings), stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as producer:
        disturber = threading.Timer(1.0, kill_and_start, [matrix.cluster, 2])
        disturber.start()
        trickle(producer.stdin, matrix.lines, seconds=8)
        disturber.join()
        out, err = producer.communicate(timeout=180)
    require(producer.returncode == 0, f"exit status {producer.returncode}: {out} {err[-600:]}")
    report, answer = json.loads(out), matrix.ask(topic, False)
    require(report["acked"] == matrix.lines, f"report: {out}")
    require(answer["missing"] == answer["foreign"] == 0, f"consumer: {answer}")
    return f"{report['retries']} retries, {answer['duplicated']} duplicated, 0 lost"


def kill_and_start(cluster, broker):
    cluster.stop([broker], signal.SIGKILL)
    time.sleep(1)
    cluster.launch(broker)


def trickle(pipe, lines, seconds):
    """Writes all lines, evenly over some seconds."""
    pieces = seconds * 20
    for piece in range(pieces):
        numbers = range(lines * piece // pieces + 1, lines * (piece + 1) // pieces + 1)
        pipe.write("".join(f"{number}\n" for number in numbers))
        pipe.flush()
        time.sleep(0.05)


def start(cluster, brokers, port, version):
    """Starts a cluster and says how long that took."""
    began = time.monotonic()
    cluster.up(brokers, port, version, {})
    say(f"Apache Kafka {version}, {brokers} broker(s), up in {time.monotonic() - began:.1f} s")


def prove_brokers(args, program, witness, scratch, tally):
    """All cases against a fresh cluster of each size."""
    for brokers in args.brokers:
        cluster = Cluster(scratch / f"cluster-{brokers}")
        try:
            start(cluster, brokers, args.port, args.version)
            matrix = Matrix(f"{brokers} broker(s)", program, cluster, witness, tally, scratch,
                            args.lines)
            matrix.run()
            if brokers >= 3:
                matrix.case("acks=all, broker 2 killed", lambda m=matrix: failover(m))
        finally:
            cluster.down()


def prove_releases(args, program, witness, scratch, tally):
    """The cases against one broker of each release; the next one starts while this one works."""
    clusters = [Cluster(scratch / version) for version in args.versions]
    with ThreadPoolExecutor(1) as starter:
        try:
            starting = starter.submit(start, clusters[0], 1, 0, args.versions[0])
            for at, version in enumerate(args.versions):
                starting.result()
                if at + 1 < len(clusters):
                    starting = starter.submit(start, clusters[at + 1], 1, 0, args.versions[at + 1])
                matrix = Matrix(version, program, clusters[at], witness, tally, scratch,
                                args.lines)
                for kind in args.cases:
                    matrix.run(kind)
                clusters[at].down()
        finally:
            starter.shutdown()
            for cluster in clusters:
                cluster.down()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, help="per case")
    parser.add_argument("--brokers", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--version", default=KAFKA_VERSION)
    parser.add_argument("--port", type=int, default=0, help="of the first broker; 0: any free")
    parser.add_argument("--versions", nargs="+", metavar="RELEASE",
                        help="releases from 0.8.2.2 on; one broker each")
    parser.add_argument("--cases", choices=CASES, nargs="+", default=CASES,
                        help="of each release, these cases only")
    proof.add_arguments(parser)
    args = parser.parse_args()
    if args.cases != CASES and not args.versions:
        parser.error("--cases needs --versions")
    args.lines = args.lines or (RELEASE_LINES if args.versions else 100_000)
    return args


def main():
    args = arguments()
    # So that the brokers end with the run, however it is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tally = Tally()
    name = "kafka-releases" if args.versions else "kafka"
    try:
        # What is missing shows before a broker starts.
        program = proof.producer(args)
        witness = Witness()
        with tempfile.TemporaryDirectory(prefix="titorelli-kafka-") as scratch:
            prove = prove_releases if args.versions else prove_brokers
            prove(args, program, witness, Path(scratch), tally)
        witness.close()
    except Missing as missing:
        sys.exit(proof.skipped(name, missing))
    sys.exit(proof.ending(name, tally, args.lines))


if __name__ == "__main__":
    main()
