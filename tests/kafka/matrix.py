"""The cases that every cluster gets: each codec × each acks × with and without keys.

One request in flight: exactly the lines that were sent, each once, in order within its partition.
"""

import json

import proof
from proof import require
from releases import Release
from segments import CODECS, formats

ACKS = ["0", "1", "all"]
KEYS = 997
PARTITIONS = 3


class Matrix:
    """One cluster, one producer, and the cases between them."""

    def __init__(self, where, program, cluster, witness, tally, scratch, lines):
        self.where, self.program, self.cluster = where, program, cluster
        self.witness, self.tally, self.scratch, self.lines = witness, tally, scratch, lines
        self.brokers = cluster.state["brokers"]

    def case(self, name, check):
        self.tally.case(self.where, name, check)

    def topic(self, name):
        safe = {"min.insync.replicas": "2"} if self.brokers >= 3 else {}
        self.cluster.create_topic(name, PARTITIONS, min(3, self.brokers), safe)

    def command(self, topic, settings, *more):
        return proof.command(self.program, self.cluster.bootstrap, topic, settings, *more)

    def told(self):
        """What a producer must be told about brokers that cannot be asked what they speak."""
        release = self.cluster.release
        return {} if release.has_api_versions else {"api_version": release.text}

    def ask(self, topic, keyed):
        return self.witness.ask(self.cluster, topic, self.lines, KEYS if keyed else 0)

    def run(self, kind="delivered"):
        """All cases of a kind."""
        {"delivered": self.run_delivered, "pinned": self.run_pinned,
         "refused": self.run_refused}[kind]()

    def run_delivered(self):
        """What the brokers' release knows arrives."""
        for codec in self.cluster.release.codecs:
            for acks in ACKS:
                for keyed in (False, True):
                    name = f"{codec} acks={acks}{' keyed' if keyed else ''}"
                    self.case(name, lambda c=codec, a=acks, k=keyed: self.deliver(c, a, k, 1))
        self.case("lz4 acks=all five in flight", lambda: self.deliver("lz4", "all", False, 5))

    def run_pinned(self):
        """The same with a release that is told, not asked: the brokers', and the oldest spoken."""
        release = self.cluster.release
        # Who cannot be asked is told in all other cases already.
        delivered = set(self.told().values())
        for pinned in sorted({release.text, release.oldest_client} - delivered):
            told = {"api_version": pinned}
            for codec in [known for known in Release(pinned).codecs if known in release.codecs]:
                for keyed in (False, True):
                    name = f"api_version={pinned} {codec}{' keyed' if keyed else ''}"
                    self.case(name,
                              lambda c=codec, k=keyed, t=told: self.deliver(c, "all", k, 1, t))

    def run_refused(self):
        """What the brokers' release does not know is refused before it is sent."""
        release = self.cluster.release
        for codec in [codec for codec in CODECS if codec not in release.codecs]:
            settings = {"compression.type": codec} | self.told()
            self.case(f"{codec} is refused", lambda s=settings, c=codec: self.refuse(s, c))
        if not release.has_api_versions:
            self.case("api_version is not told", lambda: self.refuse({}, "api_version"))

    def refuse(self, settings, word):
        """No line is sent, and the producer says that word."""
        topic = f"refused-{len(settings)}"
        self.topic(topic)
        # Kafka 0.9 is silent when it does not know a request: that must show before all is over.
        bounds = {"max_block_ms": 6_000, "socket_connection_setup_timeout_ms": 2_000}
        done = proof.feed(self.command(topic, bounds | settings), proof.numbers(self.lines))
        said = f"{done.stdout[-400:]} {done.stderr[-600:]}"
        require(done.returncode in (1, 2), f"exit status {done.returncode}: {said}")
        # With status 2 nothing began, and nothing is reported.
        report = json.loads(done.stdout or "{}")
        require(report.get("maybe_persisted", 0) == 0, f"something was sent: {said}")
        require(word in done.stderr, f"not a word of {word}: {said}")
        answer = self.witness.ask(self.cluster, topic, 0)
        require(answer["found"] == 0, f"consumer: {answer}")
        return done.stderr.splitlines()[0]

    def deliver(self, codec, acks, keyed, in_flight, told=None):
        """Every line arrives once; in order when one request is in flight."""
        told = told or self.told()
        words = [codec, acks, "keyed" if keyed else "plain", in_flight, *told.values()]
        topic = "-".join(map(str, words))
        self.topic(topic)
        settings = {"compression.type": codec, "acks": acks, "retries": 10, "linger.ms": 5,
                    "max.in.flight.requests.per.connection": in_flight, **told}
        separator = ["-K", ":"] if keyed else []
        source = ["cat", str(self.keyed_file())] if keyed else proof.numbers(self.lines)
        hold_s = 1 if acks == "0" and self.cluster.release.is_careless_at_close else 0
        done = proof.feed(self.command(topic, settings, *separator), source, hold_s)
        report = proof.report(done)
        answer = self.ask(topic, keyed)
        proof.check_report(report, answer, self.lines, acks)
        proof.check_arrived(answer, self.lines, is_ordered=in_flight == 1)
        self.check_disk(topic, codec)
        return f"{report['records_per_second']:,.0f} records/s"

    def check_disk(self, topic, codec):
        """The segments hold what was asked for: neither another codec nor another format."""
        written = formats(self.cluster.folder, topic)
        codecs = {found for _, found in written}
        # A batch which its codec would not make smaller is sent uncompressed.
        require(codec in codecs and codecs <= {codec, "none"}, f"codecs on disk: {codecs}")
        magics = {magic for magic, _ in written}
        require(magics == {self.cluster.release.magic}, f"formats on disk: {magics}")

    def keyed_file(self):
        """The lines with keys before them."""
        path = self.scratch / f"keyed-{self.lines}"
        if not path.exists():
            with open(path, "w", encoding="ascii") as file:
                file.writelines(f"key-{n % KEYS}:{n}\n" for n in range(1, self.lines + 1))
        return path
