"""What every proof against a real cluster is made of: a producer, a witness, and a tally.

Owns: the processes of producers and of the consumer while a case runs. Never: a broker.
"""

import json
import os
import subprocess
import threading
import time
from pathlib import Path

from jars import Missing, python_with, say

#: The client -> the module by which it is known to be installed. They judge the cluster: a case
#: that they pass and `titorelli` does not is the producer's fault.
REFERENCES = {"confluent": "confluent_kafka", "kafka-python": "kafka"}
#: A producer that takes longer than this hangs.
PRODUCE_TIMEOUT_S = 300


class Failed(Exception):
    """A case that did not show what it must show."""


def require(condition, words):
    if not condition:
        raise Failed(words)


class Witness:
    """The consumer process: a question in, an answer out."""

    def __init__(self):
        script = Path(__file__).with_name("consume.py")
        self.process = subprocess.Popen([str(python_with("confluent_kafka")), str(script)],
                                        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()

    def ask(self, cluster, topic, lines, keys=0):
        """What is in that topic, where the numbers 1 to `lines` should be."""
        question = {"bootstrap": cluster.bootstrap, "release": cluster.state["version"],
                    "topic": topic, "lines": lines, "keys": keys}
        with self.lock:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        require(answer, "the consumer ended")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Tally:
    """How the cases went."""

    def __init__(self):
        self.passed = self.failed = 0
        self.lock = threading.Lock()

    def case(self, where, name, check):
        """Runs one case and tells how it went."""
        began = time.monotonic()
        try:
            words, is_good = check(), True
        except (Failed, subprocess.TimeoutExpired) as failure:
            words, is_good = str(failure), False
        with self.lock:
            self.passed += is_good
            self.failed += not is_good
            say(f"{'ok' if is_good else 'FAILED':6} {where:12} {name:36} "
                f"{time.monotonic() - began:5.1f} s  {words}")


def add_arguments(parser):
    """The options by which every proof chooses its producer."""
    target = os.environ.get("CARGO_TARGET_DIR") or Path(__file__).parents[2] / "target"
    parser.add_argument("--titorelli", default=str(Path(target) / "release" / "titorelli"),
                        help="the release binary")
    parser.add_argument("--client", choices=["titorelli", *REFERENCES], default="titorelli",
                        help="another producer, to see whether the cluster does what it should")


def producer(args):
    """The words that begin the command line of the producer."""
    if args.client in REFERENCES:
        python = python_with(REFERENCES[args.client])
        return [str(python), str(Path(__file__).with_name("reference.py")), args.client]
    if not Path(args.titorelli).exists():
        raise SystemExit(f"no {args.titorelli}: cargo build --release -p titorelli-cli")
    return [args.titorelli]


def command(program, bootstrap, topic, settings, *more):
    """The command line that produces lines to a topic and reports."""
    words = [*program, "produce", "-b", bootstrap, "-t", topic, "--report", "json", *more]
    for key, value in settings.items():
        words += ["-X", f"{key}={value}"]
    return words


def numbers(lines):
    """A command that prints the numbers 1 to `lines`."""
    return ["seq", "1", str(lines)]


def feed(words, source, hold_s=0, environment=None):
    """Runs a producer on the output of a command, which ends so many seconds after its last line.

    Until then the producer has time to send, and keeps its connections.
    """
    source = ["sh", "-c", f'"$@"; sleep {hold_s}', "sh", *source] if hold_s else source
    with subprocess.Popen(source, stdout=subprocess.PIPE) as lines:
        return subprocess.run(words, stdin=lines.stdout, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=PRODUCE_TIMEOUT_S,
                              check=False, env={**os.environ, **(environment or {})})


def report(done):
    """The report of a producer that ended well."""
    require(done.returncode == 0, f"exit status {done.returncode}: "
                                  f"{done.stdout[-400:]} {done.stderr[-600:]}")
    return json.loads(done.stdout)


def check_arrived(answer, lines, is_ordered=True):
    """Every line is there once and where it should be."""
    require(answer["found"] == answer["distinct"] == lines, f"consumer: {answer}")
    require(answer["foreign"] == answer["misplaced"] == 0, f"consumer: {answer}")
    require(not is_ordered or answer["out_of_order"] == 0, f"consumer: {answer}")


def check_report(reported, answer, lines, acks):
    """The producer's report agrees with the log."""
    for name, count in {"records": lines, "acked": lines, "failed": 0,
                        "maybe_persisted": 0}.items():
        require(reported[name] == count, f"report: {name} is {reported[name]}, not {count}")
    require(sum(p["acked"] for p in reported["partitions"].values()) == lines,
            f"report: {reported['partitions']}")
    for partition, entry in reported["partitions"].items():
        end = answer["ends"][partition]
        require(entry["acked"] == end, f"partition {partition}: {entry}, its log has {end}")
        offsets = (-1, -1) if acks == "0" else (0, end - 1)
        require((entry["first_offset"], entry["last_offset"]) == offsets,
                f"partition {partition}: {entry}, expected offsets {offsets}")


def ending(name, tally, lines):
    """The last line of a proof, and its exit status."""
    print(f"{name}: {tally.passed} cases passed, {tally.failed} failed, {lines} lines each")
    return 1 if tally.failed else 0


def skipped(name, missing):
    """The last line where a tool is missing: a failure where everything should be there."""
    assert isinstance(missing, Missing)
    print(f"{name}: skipped: {missing}")
    return 1 if os.environ.get("CI") else 0
