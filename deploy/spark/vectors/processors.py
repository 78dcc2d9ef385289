"""The three steps as stateful stages of Spark, one behind the other."""

from pyspark.sql import Row
from pyspark.sql import functions as F
from pyspark.sql.streaming import StatefulProcessor

from vectors import steps


class Stage(StatefulProcessor):
    """A step whose state is one value of bytes a set; read only where a row asks for it."""

    #: As checkpoints name it.
    STATE = "set"

    def __init__(self, limit):
        #: Of names in all sets together.
        self.limit = limit

    def init(self, handle):
        self.state = handle.getValueState(self.STATE, "data binary")

    def step(self, data):
        raise NotImplementedError

    def needs_state(self, key):
        return key[0] != steps.NO_SET

    def handleInputRows(self, key, rows, timerValues):
        kept = self.state.get() if self.needs_state(key) else None
        step = self.step(kept[0] if kept else None)
        for row in steps.in_log_order([row.asDict() for row in rows]):
            for made in step.take(row):
                yield Row(**made)
        if step.table.is_changed:
            self.state.update((step.table.encoded(),))
        self.finished()

    def finished(self):
        """What else is kept is written down."""

    def close(self):
        pass


class MovementStage(Stage):
    def step(self, data):
        return steps.MovementStep(self.limit, data)


class CustomerStage(Stage):
    def step(self, data):
        return steps.CustomerStep(self.limit, data)


class MerchantStage(Stage):
    def init(self, handle):
        super().init(handle)
        self.vectors = KeptVectors(
            handle.getMapState("vectors", "movement string", "data binary"))

    def step(self, data):
        return steps.MerchantStep(self.limit, self.vectors, data)

    def finished(self):
        self.vectors.write()


class KeptVectors:
    """Vectors by movement; what a micro-batch puts in is written once, at its end."""

    def __init__(self, state):
        self.state = state
        self.changed = {}

    def get(self, movement):
        if movement in self.changed:
            return self.changed[movement]
        kept = self.state.getValue((movement,))
        return kept[0] if kept else None

    def put(self, movement, data):
        self.changed[movement] = data

    def remove(self, movement):
        self.changed[movement] = None

    def write(self):
        for movement, data in self.changed.items():
            if data is None:
                self.state.removeKey((movement,))
            else:
                self.state.updateValue((movement,), (data,))
        self.changed = {}


def vectors(records, customers, movements, merchants):
    """The rows `vector` and `unreadable` that come of records.

    `records` has `partition`, `offset`, `timestamp` (ms) and `value` (bytes); the rest are bounds:
    how many names each table holds.
    """
    movement = F.get_json_object(F.col("value").cast("string"), "$.movement")
    first = records.select(
        "partition", "offset", F.lit(0).alias("place"), "timestamp", "value",
        F.coalesce(F.pmod(F.crc32(movement.cast("binary")), F.lit(steps.MOVEMENT_SETS)), F.lit(0))
        .cast("int").alias("movement_set"))
    told = first
    for key, stage in (
            ("movement_set", MovementStage(movements)), ("customer_set", CustomerStage(customers)),
            ("merchant_set", MerchantStage(merchants))):
        told = told.groupBy(key).transformWithState(stage, steps.ROW, "Append", "None")
    return told
