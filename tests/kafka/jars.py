"""Where Apache Kafka and the independent consumer come from: Maven Central and PyPI, cached.

Owns: the cache below ``${XDG_CACHE_HOME:-~/.cache}/titorelli``. Never: a running process.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: The newest 4.x on Maven Central when this was written; ``KAFKA_VERSION`` chooses another.
KAFKA_VERSION = os.environ.get("KAFKA_VERSION", "4.4.0")

#: slf4j-simple logs to standard error without a configuration file; Kafka 4.x brings slf4j 1.7.
SLF4J_VERSION = "1.7.36"

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>titorelli</groupId><artifactId>kafka-jars</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{kafka}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>{slf4j}</version>
    </dependency>
  </dependencies>
</project>
"""


class Missing(Exception):
    """A tool that this machine does not have; the caller decides whether that is a failure."""


def say(*words):
    """Tells the user something; standard output stays free for results."""
    print(*words, file=sys.stderr, flush=True)


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
        pom.write_text(POM.format(kafka=version, slf4j=SLF4J_VERSION))
        fetched = Path(scratch) / "jars"
        command = [mvn, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies",
                   f"-DoutputDirectory={fetched}", "-DincludeScope=runtime"]
        for _attempt in range(3):
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    text=True, check=False)
            if result.returncode == 0:
                fetched.rename(jars)
                return jars
        raise SystemExit(f"Maven could not fetch Apache Kafka {version}:\n{result.stdout[-2000:]}")


def consumer_python():
    """The Python of a virtual environment that holds confluent-kafka; made the first time."""
    home = cache_dir() / "venv"
    python = home / "bin" / "python"
    if python.exists() and imports(python):
        return python
    say(f"making a virtual environment with confluent-kafka in {home}")
    home.parent.mkdir(parents=True, exist_ok=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode != 0:
        raise_missing(f"python -m venv fails:\n{made.stdout[-500:]}")
    fetched = subprocess.run([str(python), "-m", "pip", "install", "-q", "confluent-kafka"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             check=False)
    if fetched.returncode != 0 or not imports(python):
        raise_missing(f"pip could not install confluent-kafka:\n{fetched.stdout[-500:]}")
    return python


def imports(python):
    """Whether that Python has the consumer."""
    probe = subprocess.run([str(python), "-c", "import confluent_kafka"], stderr=subprocess.DEVNULL,
                           check=False)
    return probe.returncode == 0
