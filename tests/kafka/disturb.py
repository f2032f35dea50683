"""What is done to a three-node cluster while a producer works: drawn from a seed.

Owns: the order of disturbances. Never: a record.
"""

import os
import signal
import struct
import time
from collections import Counter

from jars import say

#: How long a cluster may take until every replica is in sync again.
RECOVERY_TIMEOUT_S = 120


class Disturber:
    """One cluster, one topic, and what befalls them, kind after kind in a drawn order."""

    def __init__(self, cluster, topic, partitions, draw, ask, pause_s):
        """`ask` gives an order to the proxy; a pause takes `pause_s` (least, most) seconds."""
        self.cluster, self.topic, self.partitions = cluster, topic, partitions
        self.draw, self.ask, self.pause_s = draw, ask, pause_s
        self.kinds = [self.kill, self.pause, self.roll, self.reassign, self.elect, self.cut,
                      self.hold]
        self.bag = []
        self.done = Counter()

    def next(self):
        """One disturbance, from its beginning until the cluster is whole again."""
        if not self.bag:
            # Every kind once before one comes twice.
            self.bag = self.draw.sample(self.kinds, len(self.kinds))
        kind, began = self.bag.pop(), time.monotonic()
        words = kind()
        took = time.monotonic() - began
        self.recover()
        self.done[kind.__name__] += 1
        say(f"  {kind.__name__:9} {words}, {took:.1f} s; "
            f"whole after {time.monotonic() - began:.1f} s")

    def recover(self, replicas=None):
        """Waits until all brokers agree that every partition has so many replicas in sync."""
        replicas = replicas or len(self.cluster.brokers)
        end = time.monotonic() + RECOVERY_TIMEOUT_S
        while not all(self.is_whole(broker, replicas) for broker in self.cluster.brokers):
            if time.monotonic() > end:
                raise SystemExit(f"{self.topic} does not recover: "
                                 f"{[self.look(broker) for broker in self.cluster.brokers]}")
            time.sleep(0.2)

    def look(self, broker):
        """Partition -> (leader, in-sync replicas), as this broker sees it; None when it does not
        answer."""
        try:
            return self.cluster.admin(broker).leaders(self.topic)
        except (OSError, struct.error):
            return None

    def is_whole(self, broker, replicas):
        seen = self.look(broker) or {}
        return len(seen) == self.partitions and all(
            leader > 0 and len(in_sync) == replicas for leader, in_sync in seen.values())

    def busiest(self):
        """The broker that leads most partitions."""
        for broker in self.cluster.brokers:
            if seen := self.look(broker):
                return Counter(leader for leader, _ in seen.values()).most_common(1)[0]
        raise SystemExit("no broker answers")

    def kill(self):
        """kill -9 of the busiest leader; it comes back on its data."""
        broker, led = self.busiest()
        self.cluster.stop([broker], signal.SIGKILL)
        time.sleep(self.draw.uniform(0.5, 4))
        self.cluster.launch(broker)
        return f"broker {broker}, leader of {led}"

    def pause(self):
        """The busiest leader stands still, long enough to lose what it leads."""
        broker, led = self.busiest()
        seconds = self.draw.uniform(*self.pause_s)
        pid = self.cluster.pid(broker)
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
        return f"broker {broker}, leader of {led}"

    def roll(self):
        """All brokers are restarted in good order, one after another."""
        for broker in self.draw.sample(list(self.cluster.brokers), len(self.cluster.brokers)):
            self.cluster.stop([broker], signal.SIGTERM)
            self.cluster.launch(broker)
            self.recover()
        return "every broker in turn"

    def reassign(self):
        """Partitions leave a broker, data and all, and come back to it, led by another."""
        brokers = list(self.cluster.brokers)
        moved = self.draw.sample(range(self.partitions), self.partitions // 2)
        orders = {partition: self.draw.sample(brokers, len(brokers)) for partition in moved}
        few = {partition: order[:-1] for partition, order in orders.items()}
        self.cluster.admin(1).reassign(self.topic, few)
        time.sleep(self.draw.uniform(1, 3))
        self.cluster.admin(1).reassign(self.topic, orders)
        self.recover()
        self.elect()
        return f"{len(moved)} partitions"

    def elect(self):
        """Every partition is led by its first replica again."""
        partitions = list(range(self.partitions))
        try:
            self.cluster.admin(1).elect_preferred(self.topic, partitions)
        except OSError as error:
            return f"preferred leaders: {error}"
        return "preferred leaders"

    def cut(self):
        """All connections are reset, a few times."""
        times = self.draw.randint(2, 5)
        for _ in range(times):
            for door in range(len(self.cluster.brokers)):
                self.ask(f"cut {door}")
            time.sleep(self.draw.uniform(0.05, 0.5))
        return f"every connection, {times} times"

    def hold(self):
        """Nothing passes to and from one broker for a while."""
        door, ms = self.draw.randrange(len(self.cluster.brokers)), self.draw.randint(500, 4_000)
        self.ask(f"hold {door} {ms}")
        time.sleep(ms / 1_000)
        return f"broker {door + 1}"
