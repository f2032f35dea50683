"""Another producer behind the command line of `titorelli produce`, as far as the proofs use it.

    reference.py CLIENT produce -b HOST:PORT -t TOPIC --report json [-K SEP] [-X K=V]

CLIENT is `confluent` or `kafka-python`. Runs in the virtual environment of `jars.python_with`. What
the client says goes to standard error, and the exit status is 1 when a record was not acknowledged.
"""

import argparse
import json
import logging
import sys
import time

#: Keys of the proofs, with dots for underscores, in librdkafka's words.
LIBRDKAFKA = {
    "max.in.flight.requests.per.connection": "max.in.flight",
    "max.block.ms": "message.timeout.ms",
    "delivery.timeout.ms": "message.timeout.ms",
    "ssl.cafile": "ssl.ca.location",
    "ssl.certfile": "ssl.certificate.location",
    "ssl.keyfile": "ssl.key.location",
}
FLUSH_TIMEOUT_S = 60


class Outcome:
    """What became of the records, as the report of `titorelli produce` tells it."""

    def __init__(self):
        self.acked = self.failed = self.records = 0
        self.partitions = {}

    def succeed(self, partition, offset):
        """One record is written; without an answer, at -1."""
        self.acked += 1
        offset = -1 if offset is None else offset
        entry = self.partitions.setdefault(str(partition), {
            "acked": 0, "first_offset": offset, "last_offset": offset})
        entry["acked"] += 1
        entry["first_offset"] = min(entry["first_offset"], offset)
        entry["last_offset"] = max(entry["last_offset"], offset)

    def fail(self, error):
        if self.failed == 0:
            print(f"the first record that failed: {error!r}", file=sys.stderr)
        self.failed += 1

    def report(self, seconds):
        return {"records": self.records, "acked": self.acked, "failed": self.failed,
                "maybe_persisted": 0, "partitions": self.partitions, "retries": 0,
                "records_per_second": round(self.acked / seconds)}


def confluent(args, settings, outcome):
    """Sends with librdkafka."""
    from confluent_kafka import KafkaException, Producer
    words = {"bootstrap.servers": args.bootstrap, "partitioner": "murmur2_random",
             "error_cb": lambda error: print(error, file=sys.stderr)}
    for key, value in settings.items():
        key = key.replace("_", ".")
        words[LIBRDKAFKA.get(key, key)] = value
    if words.pop("ssl.check.hostname", "true") == "false":
        words["ssl.endpoint.identification.algorithm"] = "none"
    release = words.pop("api.version", None)
    if release:
        # librdkafka warns of each use of these: it has others in mind from 3.x on.
        words |= {"api.version.request": "false", "broker.version.fallback": release,
                  "log_level": 3}

    def delivered(error, record):
        if error:
            outcome.fail(error)
        else:
            # With acks=0 it counts up from -1001, although nobody told it where the log begins.
            offset = None if settings.get("acks") == "0" else record.offset()
            outcome.succeed(record.partition(), offset)

    try:
        producer = Producer(words)
    except KafkaException as error:
        sys.exit(f"{error}")
    for key, value in records(args):
        outcome.records += 1
        while True:
            try:
                producer.produce(args.topic, key=key, value=value, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    for _ in range(producer.flush(FLUSH_TIMEOUT_S)):
        outcome.fail("not delivered in time")


def kafka_python(args, settings, outcome):
    """Sends with kafka-python."""
    from kafka import KafkaProducer
    from kafka.errors import KafkaError
    words = {"bootstrap_servers": args.bootstrap.split(","), "enable_idempotence": False}
    for key, value in settings.items():
        words[key.replace(".", "_")] = typed(value)
    if words.get("compression_type") == "none":
        del words["compression_type"]
    if "api_version" in words:
        release = settings["api_version"].split(".")
        words["api_version"] = tuple(int(part) for part in release)
    try:
        producer = KafkaProducer(**words)
        for key, value in records(args):
            outcome.records += 1
            sent = producer.send(args.topic, key=key, value=value)
            # With acks=0 it counts up from 0.
            sent.add_callback(lambda made: outcome.succeed(
                made.partition, None if words.get("acks") == 0 else made.offset))
            sent.add_errback(outcome.fail)
        producer.flush(FLUSH_TIMEOUT_S)
        producer.close(10)
    except (KafkaError, OSError) as error:
        sys.exit(f"{error!r}")


def typed(text):
    """A value as Python has it: kafka-python takes no text for a number or a truth."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text


def records(args):
    """(key, value) of each line of standard input; the key is None without a separator."""
    for line in sys.stdin.buffer:
        line = line.rstrip(b"\n")
        if args.key_separator:
            yield line.split(args.key_separator.encode(), 1)
        else:
            yield None, line


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=["confluent", "kafka-python"])
    parser.add_argument("command", choices=["produce"])
    parser.add_argument("-b", dest="bootstrap")
    parser.add_argument("-t", dest="topic")
    parser.add_argument("-K", dest="key_separator")
    parser.add_argument("-X", dest="settings", action="append", default=[])
    parser.add_argument("--report")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    settings = dict(text.split("=", 1) for text in args.settings)
    outcome, began = Outcome(), time.monotonic()
    send = {"confluent": confluent, "kafka-python": kafka_python}[args.client]
    send(args, settings, outcome)
    print(json.dumps(outcome.report(time.monotonic() - began)))
    sys.exit(0 if outcome.acked == outcome.records else 1)


if __name__ == "__main__":
    main()
