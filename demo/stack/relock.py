"""For maintainers: `python -m demo.stack.relock` resolves the broker's jars anew and writes kafka-jars.lock.

The only place that walks Maven's dependency graph. Review the difference before it is committed: from then on it is
what users get.
"""

import sys
import tempfile
from pathlib import Path

import jgo
from jgo.maven import MavenContext

from demo.stack import jarlock
from demo.stack.jarlock import Jar
from demo.stack.jars import LOCK_FILE, repositories, sha256

ENDPOINT = "org.apache.kafka:kafka_2.13:4.1.0"
# Kafka logs through slf4j and leaves the choice of a backend to its distribution, whose log4j binding is not a
# dependency. Without it the broker would be silent, also about why it cannot start.
LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3")


def resolve() -> list[Jar]:
    artifacts = jgo.resolve(ENDPOINT, repositories=repositories())
    wanted = [*((a.groupId, a.artifactId, a.version) for a in artifacts), LOG_BINDING]
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), remote_repos=repositories())
        jars = []
        for group, name, version in wanted:
            digest = sha256(context.project(group, name).at_version(version).artifact().resolve())
            jars.append(Jar(group, name, version, str(digest)))
    return jars


if __name__ == "__main__":
    LOCK_FILE.write_text(jarlock.render(resolve()))
    sys.stdout.write(f"{LOCK_FILE} written\n")
