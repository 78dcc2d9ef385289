/// The index: the file `console/index.sqlite` beside a log of this process, a temporary one of
/// SQLite's beside topics at Kafka. It has payments, what led to each, names to find them by, and
/// sums by day.
///
/// | table | a row |
/// | --- | --- |
/// | `payments` | a charge; `created` is null until a validated payment tells of it |
/// | `trail` | a record of the seven topics that is about a charge |
/// | `names` | another name of a charge: an event's id, a payment intent, a refund, a dispute |
/// | `links` | a movement or an object that hangs on a charge |
/// | `days` | how many there were of something in a currency on a UTC day, and their sum |
/// | `positions` | the offset to read next of a partition, written with what was read |
///
/// All of it follows from the log. There are no migrations: a file of another version is made anew.
enum IndexSchema {
    /// Raised with every change to the tables or to what is written into them.
    static let version: Int64 = 4

    /// The columns that a list is narrowed by, each with its index; in each `created` and the row's
    /// number follow, so that a page is a run of it. All of them may be null: SQLite does not use
    /// a partial index on one that may not.
    static let narrowing = [
        "customer", "last_four", "amount", "thousandths", "review", "account", "place", "verdict",
        "merchant", "currency",
    ]

    static var statements: String {
        """
        CREATE TABLE about (version INTEGER NOT NULL, log TEXT NOT NULL) STRICT;
        CREATE TABLE positions (
            topic INTEGER NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
            PRIMARY KEY (topic, partition)) STRICT, WITHOUT ROWID;
        CREATE TABLE payments (
            id INTEGER PRIMARY KEY, charge TEXT NOT NULL UNIQUE, failed INTEGER NOT NULL,
            customer TEXT, amount INTEGER, thousandths INTEGER, currency TEXT, created INTEGER,
            first_seen INTEGER, merchant TEXT, account TEXT, last_four TEXT, brand TEXT,
            verdict TEXT, score REAL, standing INTEGER NOT NULL, funds TEXT,
            funds_since INTEGER NOT NULL, place TEXT, review TEXT,
            refunded INTEGER NOT NULL, disputed INTEGER NOT NULL, letters INTEGER NOT NULL) STRICT;
        CREATE INDEX payments_created ON payments (created);
        CREATE INDEX payments_first_seen ON payments (first_seen);
        \(narrowing.map {
            "CREATE INDEX payments_\($0) ON payments (\($0), created) WHERE \($0) IS NOT NULL;"
        }.joined(separator: "\n"))
        CREATE TABLE trail (
            payment INTEGER NOT NULL, topic INTEGER NOT NULL, partition INTEGER NOT NULL,
            offset INTEGER NOT NULL, at INTEGER NOT NULL, word TEXT NOT NULL,
            PRIMARY KEY (payment, topic, partition, offset)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE names (
            name TEXT NOT NULL, payment INTEGER NOT NULL, PRIMARY KEY (name, payment)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE links (name TEXT PRIMARY KEY, charge TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE days (
            day INTEGER NOT NULL, currency TEXT NOT NULL, word TEXT NOT NULL,
            count INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (day, currency, word)
        ) STRICT, WITHOUT ROWID;
        """
    }
}
