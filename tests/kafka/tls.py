#!/usr/bin/env python3
"""Produces over TLS to a real Apache Kafka: what must succeed, and what must fail with its reason.

One broker has a listener for each kind of certificate. A case that succeeds delivers every line
once, as the consumer counts over a plaintext listener; one that fails delivers none, ends with
status 1, and its standard error says why.

  tls.py                          3,000 lines per case
  tls.py "wrong name"             only cases with these words in their names
  tls.py --client confluent       another client: is it the cluster's fault?

Without Java, Maven, openssl or the virtual environment it says `skipped`; when CI is set, that is a
failure.
"""

import argparse
import json
import re
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import proof
from admin import HOST
from cluster import Cluster
from jars import KAFKA_VERSION, Missing, program, say
from proof import Tally, Witness, require
from properties import Listener

#: The doors of the broker. It listens on 127.0.0.1 only, also where it announces another name.
LISTENERS = [
    Listener("TLS"),
    Listener("TLS12", protocols="TLSv1.2"),
    Listener("ADDRESS", host=HOST, certificate="broker-address"),
    Listener("CHAINED", certificate="broker-chained"),
    Listener("MTLS", security="mtls"),
    Listener("MTLS12", security="mtls", protocols="TLSv1.2"),
    Listener("FOREIGN", certificate="broker-foreign"),
    Listener("EXPIRED", certificate="broker-expired"),
    # Its certificate names localhost, and the brokers announce an address.
    Listener("MISNAMED", host=HOST),
]
PLAINTEXT = "PLAINTEXT"
#: Cases that mostly wait run side by side.
TOGETHER = 4


class Case(NamedTuple):
    """What a client is told, and what must come of it."""

    name: str
    #: A listener, and the host by which it is spoken to.
    listener: str
    host: str = "localhost"
    #: The certificates that the client has, by name; None where it is not told.
    authority: str | None = "authority"
    client: str | None = None
    #: Further settings, and variables of the environment; `{}` stands for the certificates' folder.
    settings: dict = {}
    environment: dict = {}
    #: For a failure: what standard error must say, as regular expressions. None: it succeeds.
    words: tuple | None = None


#: What standard error must say of each: not only that it failed, but what to look at.
UNTRUSTED = (r"no authority in",)
OTHER_NAME = (r"certificate is not for 127\.0\.0\.1", r"names localhost", r"ssl_check_hostname")
#: The broker's alert does not say that it misses a certificate; that it asked for one does.
WANTS_CERTIFICATE = (r"wants a certificate", r"ssl_certfile")
REFUSED_CERTIFICATE = (r"refuses the certificate", r"client-foreign\.pem")
NOT_TLS = (r"TLS handshake", r"does the port speak TLS")
ONLY_TLS = (r"speaks TLS on this port",)

CASES = [
    Case("right authority", "TLS"),
    Case("right authority, TLS 1.2", "TLS12"),
    Case("an address that the certificate names", "ADDRESS", host=HOST),
    Case("an intermediate authority", "CHAINED"),
    Case("name check off", "TLS", host=HOST, settings={"ssl_check_hostname": "false"}),
    Case("name check off, announced address", "MISNAMED",
         settings={"ssl_check_hostname": "false"}),
    Case("an authority of the system", "TLS", authority=None,
         environment={"SSL_CERT_FILE": "{}/authority.pem"}),
    Case("mTLS", "MTLS", client="client"),
    Case("mTLS, TLS 1.2", "MTLS12", client="client"),
    Case("mTLS, RSA key in PKCS #1", "MTLS", client="client-rsa"),
    Case("mTLS, key in SEC 1", "MTLS", client="client-sec1"),
    Case("a client certificate nobody asked for", "TLS", client="client"),

    Case("wrong authority", "TLS", authority="foreign-authority", words=UNTRUSTED),
    Case("broker of a foreign authority", "FOREIGN", words=UNTRUSTED),
    Case("no authority told", "TLS", authority=None, words=UNTRUSTED),
    Case("name check off, wrong authority", "TLS", host=HOST, authority="foreign-authority",
         settings={"ssl_check_hostname": "false"}, words=UNTRUSTED),
    Case("wrong name", "TLS", host=HOST, words=OTHER_NAME),
    Case("wrong name announced", "MISNAMED", words=OTHER_NAME),
    Case("expired", "EXPIRED", words=(r"(?i)expired",)),
    Case("client certificate missing", "MTLS", words=WANTS_CERTIFICATE),
    Case("client certificate missing, TLS 1.2", "MTLS12", words=WANTS_CERTIFICATE),
    Case("foreign client certificate", "MTLS", client="client-foreign", words=REFUSED_CERTIFICATE),
    Case("foreign client certificate, TLS 1.2", "MTLS12", client="client-foreign",
         words=REFUSED_CERTIFICATE),
    Case("plaintext client, TLS port", "TLS", authority=None,
         settings={"security_protocol": "PLAINTEXT"}, words=ONLY_TLS),
    Case("TLS client, plaintext port", PLAINTEXT, host=HOST, words=NOT_TLS),
]


class Proof:
    """The broker with its listeners, and a producer that speaks to them."""

    def __init__(self, args, cluster, witness, tally):
        self.args, self.cluster, self.witness, self.tally = args, cluster, witness, tally
        self.program = proof.producer(args)

    def run(self, cases):
        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(self.case, cases))

    def case(self, case):
        check = self.succeed if case.words is None else self.fail
        self.tally.case(case.listener, case.name, lambda: check(case))

    def settings(self, case):
        """What the client is told: TLS, its certificates, and not to wait for long."""
        folder = self.cluster.certificates
        told = {"security_protocol": "SSL", "max_block_ms": 5_000, "request_timeout_ms": 4_000,
                "delivery_timeout_ms": 5_000}
        if case.authority:
            told["ssl_cafile"] = folder / f"{case.authority}.pem"
        if case.client:
            told["ssl_certfile"] = folder / f"{case.client}.pem"
            told["ssl_keyfile"] = folder / f"{case.client}.key"
        return told | case.settings

    def produce(self, case):
        """Makes the case's topic and produces to it; returns the topic and how the client ended."""
        topic = re.sub(r"[^a-z0-9]+", "-", case.name.lower())
        self.cluster.create_topic(topic, 3, 1, {})
        port = self.cluster.port(1)
        if case.listener != PLAINTEXT:
            (port,) = self.cluster.listener_ports(case.listener)
        words = proof.command(self.program, f"{case.host}:{port}", topic, self.settings(case))
        environment = {key: value.format(self.cluster.certificates)
                       for key, value in case.environment.items()}
        done = proof.feed(words, proof.numbers(self.args.lines), environment=environment)
        if self.args.verbose:
            said = dict.fromkeys(done.stderr.strip().splitlines())
            say(f"--- {case.name}: exit status {done.returncode}", *said, sep="\n    ")
        return topic, done

    def succeed(self, case):
        """Every line arrives once."""
        topic, done = self.produce(case)
        report = proof.report(done)
        answer = self.witness.ask(self.cluster, topic, self.args.lines)
        proof.check_report(report, answer, self.args.lines, "1")
        proof.check_arrived(answer, self.args.lines, is_ordered=False)
        return f"{report['records_per_second']:,.0f} records/s"

    def fail(self, case):
        """Nothing arrives, and the client says why."""
        topic, done = self.produce(case)
        said = done.stderr.strip()
        require(done.returncode == 1, f"exit status {done.returncode}, not 1: {said[-600:]}")
        answer = self.witness.ask(self.cluster, topic, 0)
        require(answer["found"] == 0, f"{answer['found']} records arrived: {said[-600:]}")
        # Other clients have other words.
        if self.args.client == "titorelli":
            for word in case.words:
                require(re.search(word, said), f"nothing like `{word}` in: {said[-600:]}")
            report = json.loads(done.stdout)
            require(report["acked"] == 0, f"report: {report}")
        return said.splitlines()[0][:200] if said else "(it said nothing)"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="words in the names of the cases to run")
    parser.add_argument("--lines", type=int, default=3_000)
    parser.add_argument("--version", default=KAFKA_VERSION, help="3.9 or newer")
    parser.add_argument("--verbose", action="store_true", help="print what the client says")
    proof.add_arguments(parser)
    return parser.parse_args()


def main():
    args = arguments()
    # So that the broker ends with the run, however it is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cases = [case for case in CASES
             if not args.names or any(name in case.name for name in args.names)]
    tally = Tally()
    try:
        # What is missing shows before a broker starts.
        program("openssl")
        proof.producer(args)
        witness = Witness()
        with tempfile.TemporaryDirectory(prefix="titorelli-kafka-") as scratch:
            cluster, began = Cluster(Path(scratch) / "cluster"), time.monotonic()
            try:
                cluster.up(1, 0, args.version, {}, LISTENERS)
                say(f"Apache Kafka {args.version}, {len(LISTENERS)} TLS listeners, up in "
                    f"{time.monotonic() - began:.1f} s")
                Proof(args, cluster, witness, tally).run(cases)
            finally:
                cluster.down()
        witness.close()
    except Missing as missing:
        sys.exit(proof.skipped("kafka-tls", missing))
    sys.exit(proof.ending("kafka-tls", tally, args.lines))


if __name__ == "__main__":
    main()
