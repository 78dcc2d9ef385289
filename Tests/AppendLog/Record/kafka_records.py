"""Reads and builds record batches with kafka-python, an implementation that is not ours.

    kafka_records.py read SEGMENT OUT     one JSON line for each batch of a segment file
    kafka_records.py build SPEC OUT       the batches that a JSON document asks for, back to back

Keys, values and header values are hexadecimal text, or null. Exit code 3: kafka-python is missing.
"""

import json
import sys

try:
    from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
    from kafka.record.memory_records import MemoryRecords
except ImportError as error:
    sys.stderr.write(f"kafka-python is not installed for {sys.executable}: {error}\n")
    sys.exit(3)

PREFIX_BYTES = 12  # base offset and length, which the length does not count


def text(data):
    return None if data is None else bytes(data).hex()


def data(text):
    return None if text is None else bytes.fromhex(text)


def used_bytes(segment):
    """Where the batches end: at the file's end or at the zeros of a preallocated tail."""
    position = 0
    while position < len(segment):
        prefix = segment[position:position + PREFIX_BYTES]
        length = int.from_bytes(prefix[8:12], "big", signed=True)
        if length == 0:
            if any(segment[position:]):
                raise ValueError(f"a length of 0 at byte {position}, but no zero tail")
            return position
        if length < 0 or position + PREFIX_BYTES + length > len(segment):
            raise ValueError(f"a length of {length} at byte {position} of {len(segment)}")
        position += PREFIX_BYTES + length
    return position


def read_segment(path):
    """Yields one dictionary for each batch of the file, records included."""
    with open(path, "rb") as file:
        segment = file.read()
    records = MemoryRecords(segment[:used_bytes(segment)])
    position = 0
    for batch in records:
        if not isinstance(batch, DefaultRecordBatch):
            raise ValueError(f"a batch before version 2 at byte {position}")
        # The checksum must be asked for first: reading the records may decompress the buffer.
        crc_is_valid = batch.validate_crc()
        size = batch.size_in_bytes
        yield {
            "position": position,
            "size": size,
            "base_offset": batch.base_offset,
            "last_offset": batch.last_offset,
            "next_offset": batch.next_offset,
            "leader_epoch": batch.leader_epoch,
            "crc_is_valid": crc_is_valid,
            "attributes": batch.attributes,
            "first_timestamp": batch.first_timestamp,
            "max_timestamp": batch.max_timestamp,
            "producer_id": batch.producer_id,
            "producer_epoch": batch.producer_epoch,
            "base_sequence": batch.base_sequence,
            "records": [
                {
                    "offset": record.offset,
                    "timestamp": record.timestamp,
                    "key": text(record.key),
                    "value": text(record.value),
                    "headers": [[name, text(value)] for name, value in record.headers],
                }
                for record in batch
            ],
        }
        position += size


def build_batches(specification):
    """The bytes of the batches that the list of dictionaries asks for, one after another.

    A batch: compression (0…4), is_transactional, producer_id, producer_epoch, base_sequence,
    records.
    A record: offset (from the batch's first), timestamp, key, value, headers.
    """
    result = bytearray()
    for batch in specification:
        builder = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=batch["compression"],
            is_transactional=batch["is_transactional"],
            producer_id=batch["producer_id"],
            producer_epoch=batch["producer_epoch"],
            base_sequence=batch["base_sequence"],
            batch_size=1 << 30,
        )
        for record in batch["records"]:
            builder.append(
                offset=record["offset"],
                timestamp=record["timestamp"],
                key=data(record["key"]),
                value=data(record["value"]),
                headers=[(name, data(value)) for name, value in record["headers"]],
            )
        result += builder.build()
    return bytes(result)


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("read", "build"):
        sys.stderr.write(__doc__)
        return 2
    verb, source, target = arguments
    if verb == "read":
        with open(target, "w", encoding="utf-8") as out:
            for batch in read_segment(source):
                out.write(json.dumps(batch, ensure_ascii=False) + "\n")
    else:
        with open(source, encoding="utf-8") as file:
            batches = build_batches(json.load(file))
        with open(target, "wb") as out:
            out.write(batches)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
