"""Which TCP ports of this machine a cluster takes.

A cluster has two hundred from its first one on: brokers, then ZooKeeper and controllers, then ten
for each further listener of the brokers.
"""

import random
import socket

from admin import HOST

BROKERS_MAX = 9
ZOOKEEPER = 9
SPAN = 200


def broker(first, number):
    """The port of the plaintext listener of this broker; they count from 1."""
    return first + number - 1


def controller(first, number):
    """The port where this broker is a controller."""
    return first + 9 + number


def listener(first, index, number):
    """The port of a further listener of this broker; listeners count from 0."""
    return first + 20 + 10 * index + number - 1


def is_free(port):
    """Whether a broker could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def all_of(first, brokers, listeners):
    """The ports of a cluster of so many brokers with so many further listeners."""
    numbers = range(1, brokers + 1)
    yield first + ZOOKEEPER
    for number in numbers:
        yield broker(first, number)
        yield controller(first, number)
        yield from (listener(first, index, number) for index in range(listeners))


def choose(wanted, brokers, listeners):
    """The first port of a cluster; when 0 is wanted, any that has room after it."""
    candidates = [wanted]
    if not wanted:
        # Two runs that begin at the same time shall not choose the same ones.
        candidates = random.sample(range(19_100, 29_100, SPAN), 50)
    for first in candidates:
        if all(is_free(port) for port in all_of(first, brokers, listeners)):
            return first
    raise SystemExit(f"ports {wanted or 19_100} onwards are taken: something listens there already")
