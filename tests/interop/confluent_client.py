"""confluent-kafka (librdkafka): BOOTSTRAP TOPIC CODEC ACKS IDEMPOTENT COUNT"""

import sys
import time

from confluent_kafka import Producer

from records import pace, record

bootstrap, topic, codec, acks, idempotent, count = sys.argv[1:]
producer = Producer({
    "bootstrap.servers": bootstrap,
    "compression.type": codec,
    "acks": acks,
    "enable.idempotence": idempotent,
    "linger.ms": 1,
    "retry.backoff.ms": 20,
    "batch.size": 4_000,
})
failures = []


def delivered(error, _message):
    if error is not None:
        failures.append(error)


for index in range(int(count)):
    partition, key, value, headers, timestamp = record(index)
    producer.produce(
        topic, value, key, partition, on_delivery=delivered, timestamp=timestamp, headers=headers)
    producer.poll(0)
    time.sleep(pace(index))
left = producer.flush(30)
if left or failures:
    sys.exit(f"{left} not delivered, failures: {failures[:3]}")
