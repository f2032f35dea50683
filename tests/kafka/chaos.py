#!/usr/bin/env python3
"""Chaos on a real three-node Apache Kafka: what is acknowledged is there, once and in order.

Numbered records go through a proxy of our own (`chaos/`) to three brokers, of which leaders are
killed (SIGKILL), stopped for a while (SIGSTOP) and restarted in turn; partitions are reassigned;
connections are reset, closed, torn within a request, or lose their answers. Then another client
reads everything back, and every record is compared with what the producer said of it.

  chaos.py                                    the short run
  chaos.py --records 5040000 --seconds 630    the long one
  chaos.py --modes durable --seed 7
  chaos.py --pipeline                         five batches in flight against one, on a long way

Modes: `durable` is `Config::durable()`; `impatient` the same with timeouts shorter than the
disturbances, so that records fail, which must be true and leave no gap; `defaults` are the
defaults (acks=1, no retries), which may lose at a failover and must tell everything else; `wrap`,
which is run when it is asked for, is `durable` with sequence numbers that soon begin again.

Without Java, Maven or the virtual environment it says `skipped`; when CI is set, that is a failure.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

import proof
import segments
from cluster import Cluster
from disturb import Disturber
from jars import KAFKA_VERSION, Missing, python_with, say
from properties import Listener

BROKERS = 3
PARTITIONS = 12
LISTENER = "PROXIED"
#: Failover within seconds, so that a run sees many; nothing unclean.
CLUSTER_CONFIG = {"unclean.leader.election.enable": "false", "broker.session.timeout.ms": 4_000,
                  "broker.heartbeat.interval.ms": 500, "replica.lag.time.max.ms": 6_000,
                  "auto.create.topics.enable": "false", "num.io.threads": 4}
IDEMPOTENT = {"enable_idempotence": "true", "acks": "all", "retries": 2_147_483_647}
MODES = {
    "durable": (["--durable"], {}),
    "impatient": (["--durable"], {"request_timeout_ms": 1_000, "delivery_timeout_ms": 2_500}),
    "defaults": ([], {}),
    "wrap": (["--durable"], {"first_sequence": 2_147_483_647 - 10_000}),
}
#: In the last seconds nothing new is begun.
QUIET_S = 10
#: A run of so many seconds has time for long pauses.
LONG_S = 300
#: What a mode's row has, by the names in the judge's answer.
COLUMNS = {"sent": "records", "acked": "acked", "lost": "lost", "duplicated": "duplicated",
           "out_of_order": "out of order", "untrue": "untrue outcomes",
           "not_persisted": "NotPersisted", "maybe_found": "MaybePersisted, there",
           "maybe_absent": "MaybePersisted, not there", "refused": "refused by `send`",
           "retries": "retries", "connections": "connections", "seconds": "seconds"}


class Program:
    """`titorelli-chaos run`: an order in, an answer out."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"titorelli-chaos ended at `{order}`: {self.process.wait()}")
        return json.loads(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def doors(cluster):
    """The options that tell the proxy where to listen and whom to connect to."""
    pairs = zip(cluster.door_ports(LISTENER), cluster.listener_ports(LISTENER))
    return [word for door, broker in pairs
            for word in ("--door", f"127.0.0.1:{door}=127.0.0.1:{broker}")]


def options(mode):
    """The options that configure the producer."""
    words, settings = MODES[mode]
    return [*words, *(word for key, value in settings.items() for word in ("-X", f"{key}={value}"))]


def run_mode(args, mode, cluster, scratch):
    """One run; what the judge says."""
    topic = f"chaos-{mode}"
    say(f"{mode}: {args.records} records in {args.seconds} s, seed {args.seed}")
    cluster.create_topic(topic, PARTITIONS, BROKERS, {"min.insync.replicas": "2"})
    program = Program([args.program, "run", *doors(cluster), "--topic", topic, *options(mode),
                       "--partitions", str(PARTITIONS), "--records", str(args.records),
                       "--seconds", str(args.seconds), "--seed", str(args.seed)])
    try:
        disturber = Disturber(cluster, topic, PARTITIONS, random.Random(args.seed), program.ask,
                              args.pause)
        began = time.monotonic()
        program.ask("start")
        program.ask("storm")
        while time.monotonic() < began + args.seconds - QUIET_S:
            time.sleep(disturber.draw.uniform(0.5, 3))
            disturber.next()
        program.ask("calm")
        while program.ask("progress")["is_sending"]:
            time.sleep(0.1)
        disturber.recover()
        program.ask("finish")
        ended = time.monotonic() - began
        path = scratch / f"{topic}.log"
        write_log(cluster, topic, path, disturber.look(1))
        verdict = program.ask(f"judge {path}") | {"seconds": round(ended)}
    finally:
        program.end()
    return verdict | {"disturbed": dict(disturber.done)} | ids(cluster, topic)


def write_log(cluster, topic, path, leaders):
    """Writes what the topic holds for the judge: the witness' records, and where epochs begin."""
    script = Path(__file__).with_name("copy_log.py")
    subprocess.run([str(python_with("confluent_kafka")), str(script), cluster.bootstrap, topic,
                    str(path)], check=True, stdout=subprocess.DEVNULL)
    begins = array("q")
    for partition, (leader, _) in sorted(leaders.items()):
        for _epoch, offset in segments.epochs_of(cluster.broker_dir(leader), topic, partition):
            begins.extend((partition, offset, -1 << 63))
    if sys.byteorder != "little":
        begins.byteswap()
    with open(path, "ab") as file:
        begins.tofile(file)


def ids(cluster, topic):
    """How many producer ids and epochs wrote to the topic, and how often their numbers fell."""
    found, falls = set(), 0
    for log in Path(cluster.folder).glob(f"broker-1/data/{topic}-[0-9]*/*.log"):
        greatest = {}
        for identity, epoch, sequence in segments.sequences(log.read_bytes()):
            falls += sequence < greatest.get((identity, epoch), 0)
            greatest[identity, epoch] = sequence
        found |= greatest.keys()
    return {"ids": len({identity for identity, _ in found}), "epochs": len(found), "wraps": falls}


def judge(mode, verdict):
    """What is wrong with a run, in words; nothing when it kept its promise."""
    wrong = []
    if not verdict["is_true"]:
        wrong.append("what was told is not true")
    # Without idempotence what may have been written may come late: nobody knows it again.
    late = verdict["out_of_order"] - (verdict["late_maybe"] if mode == "defaults" else 0)
    if verdict["duplicated"] or late:
        wrong.append(f"{verdict['duplicated']} duplicated, {late} out of order")
    allowed = verdict["lost_at_failover"] if mode == "defaults" else 0
    if verdict["lost"] > allowed:
        wrong.append(f"{verdict['lost']} lost, {allowed} may be")
    failed = sum(verdict[name] for name in ("not_persisted", "refused", "maybe_found",
                                            "maybe_absent"))
    if mode == "wrap" and not verdict["wraps"]:
        wrong.append("no number came after the last")
    if mode in ("durable", "wrap") and failed:
        wrong.append(f"{failed} failed, although nothing lasted as long as delivery_timeout")
    return "; ".join(wrong)


def table(verdicts):
    """The table, a row for each mode."""
    lines = ["| mode | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for mode, verdict in verdicts.items():
        untrue = sum(verdict[name] for name in ("denied", "misplaced", "open", "foreign",
                                                "repeated"))
        row = verdict | {"untrue": untrue}
        if verdict["lost"]:
            row["lost"] = f"{verdict['lost']:,} ({verdict['lost_at_failover']:,} at a failover)"
        if verdict["late_maybe"]:
            row["out_of_order"] = (f"{verdict['out_of_order']:,} "
                                   f"({verdict['late_maybe']:,} MaybePersisted)")
        cells = (row[name] for name in COLUMNS)
        cells = (cell if isinstance(cell, str) else f"{cell:,}" for cell in cells)
        lines.append(f"| `{mode}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def chaos(args, cluster, scratch):
    """All modes; the exit status."""
    verdicts, status = {}, 0
    for mode in args.modes:
        verdict = verdicts[mode] = run_mode(args, mode, cluster, scratch)
        wrong = judge(mode, verdict)
        status |= bool(wrong)
        say(f"{'FAILED' if wrong else 'ok':6} {mode}: {wrong or 'kept'}\n  {json.dumps(verdict)}")
    print(table(verdicts))
    return status


def pipeline(args, cluster):
    """Five batches in flight against one; the exit status."""
    cluster.create_topic("pipeline", 1, BROKERS, {"min.insync.replicas": "2"})
    command = [args.program, "pipeline", *doors(cluster), "--topic", "pipeline"]
    for key, value in IDEMPOTENT.items():
        command += ["-X", f"{key}={value}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return done.returncode
    measured = json.loads(done.stdout)
    print(f"{measured['bytes']:,} bytes to one partition, {measured['delay_ms']} ms per answer: "
          f"one in flight {measured['one_s']:.2f} s, five {measured['five_s']:.2f} s, "
          f"ratio {measured['ratio']:.2f}")
    return 0 if measured["ratio"] >= args.ratio else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR") or Path(__file__).parents[2] / "target"
    parser.add_argument("--program", default=str(Path(target) / "release" / "titorelli-chaos"))
    parser.add_argument("--modes", nargs="+", choices=MODES,
                        default=["durable", "impatient", "defaults"])
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--seconds", type=int, default=75)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--pause", type=float, nargs=2, metavar="S",
                        help="least and most of a SIGSTOP; 5 and 20 in a long run, else 4 and 7")
    parser.add_argument("--pipeline", action="store_true", help="only that")
    parser.add_argument("--ratio", type=float, default=3.0,
                        help="by how much five in flight must be faster")
    parser.add_argument("--version", default=KAFKA_VERSION)
    parser.add_argument("--port", type=int, default=0, help="of the first broker; 0: any free")
    args = parser.parse_args()
    args.pause = args.pause or ([5, 20] if args.seconds >= LONG_S else [4, 7])
    return args


def main():
    args = arguments()
    # So that the brokers end with the run, however it is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not Path(args.program).exists():
        raise SystemExit(f"no {args.program}: cargo build --release -p titorelli-chaos")
    try:
        python_with("confluent_kafka")
        with tempfile.TemporaryDirectory(prefix="titorelli-chaos-") as scratch:
            cluster = Cluster(Path(scratch) / "cluster")
            try:
                cluster.up(BROKERS, args.port, args.version, CLUSTER_CONFIG,
                           [Listener(LISTENER, "plaintext", "127.0.0.1", is_proxied=True)])
                if args.pipeline:
                    status = pipeline(args, cluster)
                else:
                    status = chaos(args, cluster, Path(scratch))
            finally:
                cluster.down()
    except Missing as missing:
        status = proof.skipped("chaos", missing)
    sys.exit(status)


if __name__ == "__main__":
    main()
