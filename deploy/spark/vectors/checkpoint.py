"""What a checkpoint is of: a note beside Spark's own files, compared before they are opened.

Spark looks at the schemas of its own state alone: neither at what the bytes in it mean, nor at the
topic that the offsets are of. What it finds it tells in its own terms, again at each attempt. So
the job leaves `tillbox.json` in the folder:

    {"layout": 1, "topic": "payment.validated", "source": "python"}

A folder that has Spark's files and no note was begun by a release before there were notes; these
had the first layout.
"""

import json

from py4j.protocol import Py4JJavaError

from vectors.refusal import Refusal

#: What checkpoints hold: the stages and their order, the names and schemas of their state, its
#: bytes' form, the sets, the hashes that lead to them, and what the features mean. A release that
#: changes any of these has the next number.
LAYOUT = 1
#: Those that this release goes on with.
READABLE = frozenset((1,))
_FIRST = 1

NOTE = "tillbox.json"
#: The first file that Spark writes.
_SPARKS = "metadata"

_ANEW = (
    "begin a new checkpoint in an empty folder, which computes all state again from "
    "payment.validated (docs/SPARK.md, Upgrade)")

#: Conditions of Spark's that say that a checkpoint is not this query's, or not whole.
_UNFIT = (
    "CHECKPOINT_FILE_CHECKSUM_VERIFICATION_FAILED",
    "INVALID_CHANGE_LOG_READER_VERSION",
    "INVALID_LOG_VERSION",
    "STATE_STORE_COLUMN_FAMILY_SCHEMA_INCOMPATIBLE",
    "STATE_STORE_INVALID_CONFIG_AFTER_RESTART",
    "STATE_STORE_INVALID_VALUE_SCHEMA_EVOLUTION",
    "STATE_STORE_INVALID_VARIABLE_TYPE_CHANGE",
    "STATE_STORE_KEY_ROW_FORMAT_VALIDATION_FAILURE",
    "STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE",
    "STATE_STORE_ROW_CHECKSUM_VERIFICATION_FAILED",
    "STATE_STORE_VALUE_ROW_FORMAT_VALIDATION_FAILURE",
    "STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE",
    "STREAMING_CHECKPOINT_MISSING_METADATA_FILE",
    "STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY",
    "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
)


def note(topic, source):
    return {"layout": LAYOUT, "topic": topic, "source": source}


def check(folder, wanted):
    """Leaves the note in a folder that may be gone on with, or begun. Raises Refusal otherwise."""
    text = folder.read(NOTE)
    if text is not None:
        kept = _read(folder, text)
        _compare(folder.path, kept, wanted)
    else:
        kept = None
        if folder.has(_SPARKS):
            _compare(folder.path, {**wanted, "layout": _FIRST}, wanted)
    if kept != wanted:
        folder.write(NOTE, (json.dumps(wanted) + "\n").encode())


def _read(folder, text):
    try:
        kept = json.loads(text.decode())
        if type(kept["layout"]) is int and all(
                isinstance(kept[name], str) for name in ("topic", "source")):
            return kept
    except (ValueError, KeyError, TypeError):
        pass
    raise Refusal(f"{folder.path}/{NOTE} is no note of this job's: {_ANEW}")


def _compare(path, kept, wanted):
    layout = kept["layout"]
    if layout > LAYOUT:
        raise Refusal(
            f"the checkpoint {path} was written by a later release (layout {layout}; this one "
            f"knows {LAYOUT}): run that release or a later one, or {_ANEW}")
    if layout not in READABLE:
        raise Refusal(
            f"the checkpoint {path} was written by an earlier release (layout {layout}), whose "
            f"state this one cannot go on with: {_ANEW}")
    if kept["topic"] != wanted["topic"]:
        raise Refusal(
            f"the checkpoint {path} is of the topic {kept['topic']}, and the settings name "
            f"{wanted['topic']}: each has a checkpoint of its own")
    if kept["source"] != wanted["source"]:
        raise Refusal(
            f"the checkpoint {path} was begun with --source {kept['source']}, whose offsets "
            f"--source {wanted['source']} cannot read: go on with that, or {_ANEW}")


def unfit(text, path):
    """The sentence for an exception of Spark's about a checkpoint; None for any other."""
    for condition in _UNFIT:
        if condition in text:
            return (
                f"Spark cannot go on with the checkpoint {path} ({condition}): it was written "
                "by another release, or is not whole. Run the release that wrote it, or "
                f"{_ANEW}")
    return None


class Folder:
    """A checkpoint's folder, wherever Spark keeps it: a path, or what a URL as gs://… names."""

    def __init__(self, spark, path):
        self.path = path
        self._jvm = spark._jvm
        self._configuration = spark._jsparkSession.sessionState().newHadoopConf()

    def _place(self, name):
        place = self._jvm.org.apache.hadoop.fs.Path(self.path, name)
        return place, place.getFileSystem(self._configuration)

    def has(self, name):
        place, files = self._place(name)
        return files.exists(place)

    def read(self, name):
        """The bytes of a file; None where there is none, and empty where it was changed by hand."""
        place, files = self._place(name)
        if not files.exists(place):
            return None
        stream = files.open(place)
        try:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        except Py4JJavaError as error:
            # Hadoop keeps a sum beside each file of a local disk.
            if "ChecksumException" in str(error):
                return b""
            raise
        finally:
            stream.close()

    def write(self, name, data):
        """All of it or nothing: it gets its name when it is whole."""
        place, files = self._place(name)
        draft, _ = self._place(f".{name}.draft")
        stream = files.create(draft, True)
        try:
            stream.write(bytearray(data))
        finally:
            stream.close()
        files.delete(place, False)
        if not files.rename(draft, place):
            raise OSError(f"{self.path}/{name} cannot be written")
