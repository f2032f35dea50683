"""Where Apache Kafka and the independent clients come from: Maven Central and PyPI, cached.

Owns: the cache below ``${XDG_CACHE_HOME:-~/.cache}/titorelli``. Never: a running process.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from releases import Release

#: The newest 4.x on Maven Central when this was written; ``KAFKA_VERSION`` chooses another.
KAFKA_VERSION = os.environ.get("KAFKA_VERSION", "4.4.0")

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>titorelli</groupId><artifactId>kafka-jars</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>{dependencies}</dependencies>
</project>
"""

#: What old releases ask for and a broker in a test has no use for: other loggers, which would
#: answer in the place of ours, and jars that no public repository has.
EXCLUDED = ["log4j:*", "ch.qos.reload4j:*", "org.slf4j:slf4j-log4j12", "org.slf4j:slf4j-reload4j",
            "com.sun.jdmk:*", "com.sun.jmx:*", "javax.jms:*", "io.netty:*", "jline:*", "junit:*"]

#: What pip installs so that a module can be imported: clients, and the codecs that they need.
PACKAGES = {
    "confluent_kafka": ["confluent-kafka"],
    "kafka": ["kafka-python", "lz4", "python-snappy", "zstandard", "xxhash"],
}


class Missing(Exception):
    """A tool that this machine does not have; the caller decides whether that is a failure."""


def say(*words, sep=" "):
    """Tells the user something; standard output stays free for results."""
    print(*words, sep=sep, file=sys.stderr, flush=True)


def cache_dir():
    """The project's folder below the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "titorelli"


def kafka_home(version):
    """The folder of one Kafka version: ``jars/`` and the class-data archives."""
    return cache_dir() / "kafka" / version


def program(name):
    """The path of a program, or `Missing`."""
    return shutil.which(name) or raise_missing(f"`{name}` is not on PATH")


def raise_missing(what):
    raise Missing(what)


def exclusion(text):
    group, artifact = text.split(":")
    return (f"<exclusion><groupId>{group}</groupId>"
            f"<artifactId>{artifact}</artifactId></exclusion>")


def dependency(text):
    """One artifact as Maven wants it written, without what is excluded."""
    group, artifact, version = text.split(":")
    exclusions = "".join(exclusion(text) for text in EXCLUDED)
    return (f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version><exclusions>{exclusions}</exclusions></dependency>")


def kafka_jars(version=KAFKA_VERSION):
    """The folder with the broker's jars; downloads them the first time."""
    jars = kafka_home(version) / "jars"
    if jars.is_dir():
        return jars
    mvn = program("mvn")
    say(f"fetching Apache Kafka {version} with Maven into {jars}")
    jars.parent.mkdir(parents=True, exist_ok=True)
    # A download is whole or absent: it happens beside its place and is renamed.
    with tempfile.TemporaryDirectory(dir=jars.parent) as scratch:
        pom = Path(scratch) / "pom.xml"
        wanted = "".join(map(dependency, Release(version).artifacts))
        pom.write_text(POM.format(dependencies=wanted))
        fetched = Path(scratch) / "jars"
        command = [mvn, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies",
                   f"-DoutputDirectory={fetched}", "-DincludeScope=runtime"]
        for _attempt in range(3):
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    text=True, check=False)
            if result.returncode == 0:
                break
        else:
            raise SystemExit(f"Maven could not fetch Apache Kafka {version}:\n"
                             f"{result.stdout[-2000:]}")
        # Another run may have been faster; its jars are the same.
        if not jars.is_dir():
            fetched.rename(jars)
    return jars


def python_with(module):
    """The Python of a virtual environment that has this client; installed the first time."""
    home = cache_dir() / "venv"
    python = home / "bin" / "python"
    if python.exists() and imports(python, module):
        return python
    # One whose making was interrupted has no pip.
    if not (python.exists() and imports(python, "pip")):
        say(f"making a virtual environment in {home}")
        home.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if made.returncode != 0:
            raise_missing(f"python -m venv fails:\n{made.stdout[-500:]}")
    say(f"installing {' '.join(PACKAGES[module])} in {home}")
    fetched = subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES[module]],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             check=False)
    if fetched.returncode != 0 or not imports(python, module):
        raise_missing(f"pip could not install {PACKAGES[module][0]}:\n{fetched.stdout[-500:]}")
    return python


def imports(python, module):
    """Whether that Python has the module."""
    probe = subprocess.run([str(python), "-c", f"import {module}"], stderr=subprocess.DEVNULL,
                           check=False)
    return probe.returncode == 0
