"""PURE: the broker's two configuration files. Their paths are relative to its directory, so any name of it works."""

MESSAGE_MAX_BYTES = 16 * 1024 * 1024

# Constant, because nothing tells clusters apart by it; 16 bytes in URL-safe base64 are what Kafka asks for.
CLUSTER_ID = "VGlkZW1hcmstbG9jYWwtMQ"

LOG4J2 = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def server_properties(port: int, controller_port: int, log_dirs: str, session_seconds: float) -> str:
    """One broker that is its own controller (KRaft), sized for a laptop. session_seconds: see KafkaServer."""
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={log_dirs}

# Topics are declared in contracts/topics.py; a misspelt name is an error, not a new topic.
auto.create.topics.enable=false
num.partitions=1
message.max.bytes={MESSAGE_MAX_BYTES}
replica.fetch.max.bytes={MESSAGE_MAX_BYTES}

# There is one broker to hold the internal topics.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4

# A group starts at once instead of waiting 3 s for more members.
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms={round(session_seconds * 1000)}
broker.heartbeat.interval.ms=500
# Compaction that a demo of minutes gets to see, in a heap of 512 MB (the default buffer is 128 MB).
log.cleaner.backoff.ms=2000
log.cleaner.dedupe.buffer.size=16777216

num.network.threads=2
num.io.threads=4
background.threads=2
"""
