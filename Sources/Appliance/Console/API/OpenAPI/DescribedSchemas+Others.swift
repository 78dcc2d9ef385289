import Reconcile

/// Reviews, dead letters, reconciliation and bridges.
extension DescribedSchemas {
    /// How a letter is named beside its offset, where topics have several partitions.
    private static let named: [(String, Schema)] = [("partition", .id), ("letter", .text(min: 1))]

    private static let review: [(String, Schema)] = [
        ("movement", .word), ("state", .word), ("transaction", .integer(min: 1)),
        ("merchant", .word), ("currency", .word), ("minor_units", .integer()),
        ("effective_at", .seconds), ("event", .orNull(.word)), ("score", .orNull(.number)),
        ("reasons", .list(.object([], isOpen: true))), ("by", .orNull(.word)),
        ("at", .orNull(.seconds)), ("note", .orNull(.word)),
    ]

    /// What is left of the payment to be refunded, what disputes have taken, and the refunds that
    /// are booked.
    private static let refunds: [(String, Schema)] = [
        ("refundable_minor_units", .integer(min: 0)), ("disputed_minor_units", .integer(min: 0)),
        ("refunds", .list(.object([("id", .word), ("minor_units", .integer(min: 1))]))),
    ]

    static let others: [(String, Schema)] = [
        ("Review", .object(review)), ("ReviewWithRefunds", .object(review + refunds)),
        (
            "Decision",
            .form(
                [
                    ("decision", .words(["approve", "decline"])),
                    ("note", .text(min: 1, max: 2_000)),
                ], optional: [("by", said(.text(min: 1, max: 128)))])
        ),
        ("Decided", .object([("booked", .flag), ("review", .named("Review"))])),
        (
            "DeadLetter",
            .form(
                [
                    ("offset", .id), ("at", .integer()), ("stage", .word), ("reason", .word),
                    ("detail", .word), ("topic", .word), ("source", .orNull(.id)),
                    ("event_id", .orNull(.word)), ("redriven_from", .orNull(.letter)),
                    ("redriven", .word), ("again", .orNull(.letter)),
                ], optional: named)
        ),
        (
            "RedriveOrder",
            .options([
                ("data", .text()), ("reason", .orNull(.text())),
                ("offsets", .list(.integer(min: 0))), ("letters", .list(.letter)),
                ("dry_run", .flag), ("after", .orNull(.letter)),
                ("value", .orNull(.text())), ("by", said(.text(min: 1, max: 128))),
            ])
        ),
        (
            "Redriven",
            .object([
                (
                    "letters",
                    .list(
                        .form(
                            [
                                ("offset", .id), ("reason", .word), ("result", .word),
                                ("detail", .word),
                            ], optional: named))
                ), ("next", .orNull(.letter)),
            ])
        ),
        (
            "Period",
            .options([
                ("from", .orNull(.integer(min: 0))), ("to", .orNull(.integer(min: 0))),
                ("dry_run", .flag),
            ])
        ),
        (
            "Reconciliation",
            .object(
                [
                    ("id", .word), ("state", .word), ("dry_run", .flag), ("from", .seconds),
                    ("to", .seconds), ("started_at", .seconds), ("clean", .flag),
                ], isOpen: true)
        ),
        (
            "Sweep",
            .object(
                [
                    ("id", .integer(min: 1)), ("state", .word), ("from", .seconds),
                    ("to", .seconds), ("events", .integer(min: 0)), ("missed", .integer(min: 0)),
                ], isOpen: true)
        ),
        (
            "Bank",
            .object([
                ("clean", .flag), ("currencies", .list(.object([], isOpen: true))),
                ("movements", .list(.object([], isOpen: true))),
                ("unknown", .list(.object([], isOpen: true))),
                ("gaps", .list(.object([], isOpen: true))),
            ])
        ),
        (
            "BankStatements",
            .form(
                [("statements", .list(.named("BankStatement")))],
                optional: [("file", .text(max: 255)), ("replaces", .list(.integer(min: 1)))])
        ),
        (
            "BankStatement",
            .form(
                [
                    ("account", .text(min: 1, max: Int64(BankLimits.accountBytesMax))),
                    ("currency", .text(min: 3, max: 3)), ("from", .text(min: 10, max: 10)),
                    ("to", .text(min: 10, max: 10)),
                    (
                        "entries",
                        .list(
                            .form(
                                [("day", .text(min: 10, max: 10)), ("amount", .integer())],
                                optional: [
                                    ("text", .orNull(.word)), ("reference", .orNull(.word)),
                                ]))
                    ),
                ],
                optional: [
                    ("format", .word), ("number", .orNull(.word)),
                    ("opening", .orNull(.integer())),
                    ("closing", .orNull(.integer())),
                ])
        ),
        (
            "BankImport",
            .object([
                ("statements", .id), ("entries", .id), ("new", .id), ("superseded", .id),
                ("settled", .id), ("differences", .id), ("booked", .id),
            ])
        ),
        (
            "Bridge",
            .object(
                [
                    ("name", .word), ("state", .word), ("lag", .integer(min: 0)),
                    ("delivered", .integer(min: 0)), ("failures", .integer(min: 0)),
                    ("topics", .list(.object([("topic", .word), ("lag", .id)], isOpen: true))),
                ], isOpen: true)
        ),
        ("AskedBy", .options([("by", said(.text(min: 1, max: 128)))])),
    ]

    /// `by`, as every route has it that takes one.
    private static func said(_ name: Schema) -> Schema {
        .told(
            .orNull(name),
            "Who asks. Only the data folder's token may say it: everybody else acts under their "
                + "own name, and a request of theirs that has a by is answered with 400, "
                + "name_refused.")
    }
}
