"""kafka-python: BOOTSTRAP TOPIC CODEC ACKS IDEMPOTENT COUNT"""

import sys
import time

from kafka import KafkaProducer

from records import pace, record

bootstrap, topic, codec, acks, idempotent, count = sys.argv[1:]
producer = KafkaProducer(
    bootstrap_servers=bootstrap.split(","),
    compression_type=None if codec == "none" else codec,
    acks="all" if acks == "-1" else int(acks),
    enable_idempotence=idempotent == "true",
    linger_ms=1,
    batch_size=4_000,
    retry_backoff_ms=20,
)
futures = []
for index in range(int(count)):
    partition, key, value, headers, timestamp = record(index)
    futures.append(producer.send(topic, value, key, headers, partition, timestamp))
    time.sleep(pace(index))
for future in futures:
    future.get(timeout=30)
producer.close()
