package org.apache.kafka.clients.producer.internals;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.RoundRobinPartitioner;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.common.utils.internals.LogContext;

/**
 * Runs the Java producer's partitioners and prints what they choose. Started by make.py; in the
 * package of the built-in partitioner, whose random number is replaced.
 */
public class Vectors {
    static final String TOPIC = "topic";
    static final Node[] NODES = {new Node(1, "localhost", 9092)};
    static final Random RANDOM = new Random(794);

    /** The built-in partitioner with a random number of our choice. */
    static class Mocked extends BuiltInPartitioner {
        final int random;

        Mocked(int stickyBatchSize, int random) {
            super(new LogContext(), TOPIC, stickyBatchSize, false, "");
            this.random = random;
        }

        @Override
        int randomPartition() {
            return random;
        }
    }

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "murmur2" -> murmur2(Arrays.copyOfRange(args, 1, args.length));
            case "round-robin" -> roundRobin();
            case "adaptive" -> adaptive();
            case "switching" -> switching();
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    /** A line per key: the hash, and the partition for each count. */
    static void murmur2(String[] counts) throws Exception {
        BufferedReader words = new BufferedReader(new InputStreamReader(System.in));
        for (String word; (word = words.readLine()) != null; ) {
            if (word.equals("null")) {
                System.out.println("-");
                continue;
            }
            byte[] key = HexFormat.of().parseHex(word.equals("empty") ? "" : word);
            String chosen = Arrays.stream(counts)
                .map(count -> BuiltInPartitioner.partitionForKey(key, Integer.parseInt(count)))
                .map(String::valueOf)
                .collect(Collectors.joining(" "));
            System.out.println(Utils.murmur2(key) + " " + chosen);
        }
    }

    static Cluster cluster(String topic, int count, int[] available) {
        List<PartitionInfo> partitions = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            Node leader = Arrays.binarySearch(available, index) >= 0 ? NODES[0] : null;
            partitions.add(new PartitionInfo(topic, index, leader, NODES, NODES));
        }
        return new Cluster("cluster", List.of(NODES), partitions, java.util.Set.of(),
            java.util.Set.of());
    }

    /** Some of so many partitions, in order. */
    static int[] some(int count) {
        int percent = new int[] {0, 10, 50, 90, 100, 100}[RANDOM.nextInt(6)];
        return IntStream.range(0, count).filter(i -> RANDOM.nextInt(100) < percent).toArray();
    }

    static String words(int[] numbers) {
        return numbers.length == 0 ? "-" : Arrays.stream(numbers)
            .mapToObj(String::valueOf)
            .collect(Collectors.joining(","));
    }

    static int pick(int... numbers) {
        return numbers[RANDOM.nextInt(numbers.length)];
    }

    static void roundRobin() throws Exception {
        RoundRobinPartitioner partitioner = new RoundRobinPartitioner();
        Field field = RoundRobinPartitioner.class.getDeclaredField("topicCounterMap");
        field.setAccessible(true);
        @SuppressWarnings("unchecked")
        Map<String, AtomicInteger> turns = (Map<String, AtomicInteger>) field.get(partitioner);
        for (int line = 0; line < 120; line++) {
            String topic = "topic" + RANDOM.nextInt(3);
            String first = "-";
            if (line % 20 == 19) {
                // Near the end of the counter, where it becomes negative and positive again.
                int turn = pick(Integer.MAX_VALUE - 5, -5);
                turns.put(topic, new AtomicInteger(turn));
                first = String.valueOf(turn);
            }
            int count = pick(1, 2, 3, 7, 12, 100);
            int[] available = some(count);
            Cluster cluster = cluster(topic, count, available);
            int[] chosen = new int[10];
            for (int turn = 0; turn < chosen.length; turn++) {
                byte[] key = turn % 2 == 0 ? null : new byte[] {(byte) turn};
                chosen[turn] = partitioner.partition(topic, key, key, null, null, cluster);
            }
            System.out.println(String.join(" ", topic, first, String.valueOf(count),
                words(available), words(chosen)));
        }
    }

    static void adaptive() {
        for (int line = 0; line < 300; line++) {
            int count = pick(1, 2, 3, 5, 12, 40);
            int longest = pick(0, 1, 4, 50, 2_000);
            int[] queues = IntStream.range(0, count).map(i -> RANDOM.nextInt(longest + 1)).toArray();
            if (line % 5 == 0) {
                Arrays.fill(queues, longest);
            }
            int[] available = some(count);
            // What has a leader comes first, what is left out is beyond the length.
            int length = available.length == 0 ? 0 : available.length - RANDOM.nextInt(
                Math.min(3, available.length + 1));
            int[] partitions = Arrays.copyOf(available, count);
            Cluster cluster = cluster(TOPIC, count, available);
            List<String> draws = new ArrayList<>();
            for (int draw = 0; draw < 10; draw++) {
                int random = draw < 2 ? draw : draw < 3 ? Integer.MAX_VALUE
                    : RANDOM.nextInt(Integer.MAX_VALUE);
                Mocked partitioner = new Mocked(1, random);
                partitioner.updatePartitionLoadStats(queues.clone(), partitions.clone(),
                    new String[count], length);
                draws.add(random + ":" + partitioner.peekCurrentPartitionInfo(cluster).partition());
            }
            System.out.println(String.join(" ", words(queues), words(partitions),
                String.valueOf(length), String.valueOf(count), words(available),
                String.join(",", draws)));
        }
    }

    static void switching() {
        Cluster cluster = cluster(TOPIC, 3, new int[] {0, 1, 2});
        for (int line = 0; line < 60; line++) {
            int stickyBatchSize = pick(1, 100, 16_384, 131_072);
            int largest = pick(2, stickyBatchSize / 10 + 2, stickyBatchSize + 2, 3 * stickyBatchSize);
            int percent = pick(0, 10, 50, 100);
            Mocked partitioner = new Mocked(stickyBatchSize, 0);
            List<String> steps = new ArrayList<>();
            for (int step = 0; step < 40; step++) {
                BuiltInPartitioner.StickyPartitionInfo info =
                    partitioner.peekCurrentPartitionInfo(cluster);
                int bytes = RANDOM.nextInt(largest);
                boolean enableSwitch = RANDOM.nextInt(100) < percent;
                partitioner.updatePartitionInfo(info, bytes, cluster, enableSwitch);
                boolean isSwitched = partitioner.isPartitionChanged(info);
                steps.add(bytes + ":" + (enableSwitch ? 1 : 0) + ":" + (isSwitched ? 1 : 0));
            }
            System.out.println(stickyBatchSize + " " + String.join(",", steps));
        }
    }
}
