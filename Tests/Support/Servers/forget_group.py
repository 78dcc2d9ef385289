"""Deletes a group that has no members, with its offsets, as a broker does once they have expired.

    forget_group.py BOOTSTRAP GROUP
"""
import sys

from kafka import KafkaAdminClient

bootstrap, group = sys.argv[1:]
admin = KafkaAdminClient(bootstrap_servers=bootstrap)
outcome = admin.delete_groups([group])
admin.close()
if outcome != {group: "OK"}:
    sys.exit(f"{outcome}")
