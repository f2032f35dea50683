import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java producer: BOOTSTRAP TOPIC CODEC ACKS IDEMPOTENT COUNT. The records are those of records.py. */
public final class Interop {
    public static void main(String[] arguments) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", arguments[0]);
        config.put("compression.type", arguments[2]);
        config.put("acks", arguments[3]);
        config.put("enable.idempotence", arguments[4]);
        config.put("linger.ms", "1");
        config.put("batch.size", "4000");
        config.put("retry.backoff.ms", "20");
        String topic = arguments[1];
        int count = Integer.parseInt(arguments[5]);
        ByteArraySerializer bytes = new ByteArraySerializer();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config, bytes, bytes)) {
            List<Future<RecordMetadata>> futures = new ArrayList<>();
            for (int index = 0; index < count; index++) {
                futures.add(producer.send(record(topic, index)));
                if (index % 20 == 0) {
                    Thread.sleep(2);
                }
            }
            for (Future<RecordMetadata> future : futures) {
                future.get(30, TimeUnit.SECONDS);
            }
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int index) {
        byte[] key = index % 5 == 0 ? null : utf8("key-" + index);
        byte[] value = index % 7 == 0 && key != null ? null : utf8(("value-" + index + ";").repeat(index % 40));
        ProducerRecord<byte[], byte[]> record =
            new ProducerRecord<>(topic, index % 3, 1_700_000_000_000L + index, key, value);
        if (index % 3 == 0) {
            record.headers().add("first", utf8(Integer.toString(index)));
            record.headers().add("empty", new byte[0]);
            record.headers().add("first", utf8("again"));
        }
        return record;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
