package org.apache.kafka.clients.producer.internals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;

/** Draws from the cache of KIP-480, which Kafka 4.0 took out, and counts. Started by make.py. */
public class Sticky {
    static final int DRAWS = 2_000;
    static final Node[] NODES = {new Node(1, "localhost", 9092)};

    public static void main(String[] args) {
        for (int[] available : new int[][] {
            {0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3, 4, 5}, {2}, {1, 4}, {0, 3, 5}, {}}) {
            draw(6, available);
        }
    }

    static void draw(int count, int[] available) {
        List<PartitionInfo> partitions = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            Node leader = Arrays.binarySearch(available, index) >= 0 ? NODES[0] : null;
            partitions.add(new PartitionInfo("topic", index, leader, NODES, NODES));
        }
        Cluster cluster = new Cluster("cluster", List.of(NODES), partitions, Set.of(), Set.of());
        StickyPartitionCache cache = new StickyPartitionCache();
        int[] counts = new int[count];
        int repeats = 0;
        int last = cache.partition("topic", cluster);
        for (int draw = 0; draw < DRAWS; draw++) {
            int next = cache.nextPartition("topic", cluster, last);
            counts[next]++;
            repeats += next == last ? 1 : 0;
            last = next;
        }
        System.out.println(count + " " + words(available) + " " + DRAWS + " " + repeats + " "
            + words(counts));
    }

    static String words(int[] numbers) {
        return numbers.length == 0 ? "-" : IntStream.of(numbers)
            .mapToObj(String::valueOf)
            .collect(Collectors.joining(","));
    }
}
