"""The command of a JVM that runs a part of Kafka, and the class-data archives that halve its start.

Owns: the archives in the cache. Never: a running process.
"""

import shutil

from jars import kafka_home
from releases import Release

#: Role -> main class, memory, and the level of its log.
ROLES = {
    "broker": ("kafka.Kafka", "512m", "info"),
    "format": ("kafka.tools.StorageTool", "512m", "warn"),
    "zookeeper": ("org.apache.zookeeper.server.quorum.QuorumPeerMain", "128m", "info"),
}


def command(state, role, archive_to, *arguments):
    """The whole command line; a clean exit writes a missing archive to `archive_to`."""
    main, memory, level = ROLES[role]
    release = Release(state["version"])
    return [state["java"], *sharing(state["version"], role, archive_to), *release.java_options,
            "-XX:+UseSerialGC", "-Xms64m", f"-Xmx{memory}",
            "-XX:+ExitOnOutOfMemoryError" if role == "broker" else "-XX:TieredStopAtLevel=1",
            f"-Dorg.slf4j.simpleLogger.defaultLogLevel={level}",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            "-Dzookeeper.jmx.log4j.disable=true",
            "-cp", state["jars"] + "/*", main, *map(str, arguments)]


def sharing(version, role, archive_to):
    """The options of class-data sharing; the quick old releases do without."""
    if not Release(version).has_kraft:
        return []
    archive = kafka_home(version) / f"{role}.jsa"
    quiet = ["-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr"]
    if archive.exists():
        return [*quiet, f"-XX:SharedArchiveFile={archive}"]
    return [*quiet, f"-XX:ArchiveClassesAtExit={archive_to / archive.name}"]


def has_archive(version, role):
    """Whether nothing would be won by a clean exit."""
    return not Release(version).has_kraft or (kafka_home(version) / f"{role}.jsa").exists()


def keep_archive(version, role, folder):
    """Moves an archive that a JVM wrote at its exit into the cache."""
    made = folder / f"{role}.jsa"
    if made.exists():
        shutil.move(made, kafka_home(version) / f"{role}.jsa")
