"""Changes how large a record a topic takes, as somebody may at any time.

    topic_bound.py BOOTSTRAP TOPIC BYTES
"""
import sys

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

bootstrap, topic, count = sys.argv[1:]
admin = KafkaAdminClient(bootstrap_servers=bootstrap)
admin.alter_configs([ConfigResource(
    ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": count, "retention.ms": "-1"})])
admin.close()
