import Appliance
import Vocabulary

/// The named forms of the OpenAPI document. Those of the older routes are open: they say the
/// members that programs rely on.
enum DescribedSchemas {
    static let all: [(String, Schema)] = [
        (
            "Problem",
            .object(
                [
                    ("type", .word), ("title", .word), ("status", .integer(min: 400, max: 599)),
                    ("detail", .text(min: 1)),
                ], isOpen: true)
        ),
    ] + health + payments + ledger + records + others + access + live

    private static let health: [(String, Schema)] = [
        ("Health", .object([("status", .words(["alive", "stuck"]))])),
        (
            "Readiness",
            .object(
                [
                    ("status", .words(["ready", "not_ready"])), ("reasons", .list(.word)),
                    ("warnings", .list(.word)),
                ], isOpen: true)
        ),
        (
            "Status",
            .object(
                [
                    ("ready", .flag), ("data", .orNull(.word)), ("reasons", .list(.word)),
                    ("warnings", .list(.word)), ("started_at", .seconds),
                    ("up_seconds", .integer(min: 0)), ("stripe_at", .orNull(.seconds)),
                    ("log", .object([], isOpen: true)), ("reconciliation", .anything),
                    ("backup", .anything),
                    ("bridges", .list(.named("Bridge"))),
                ], isOpen: true)
        ),
        (
            "ShadowReport",
            .object([
                ("format", .integer(min: 1)), ("made_at", .seconds), ("version", .word),
                ("file", .word), ("review_from", .number), ("block_from", .number),
                ("first_offset", .id), ("end_offset", .id),
                (
                    "live_models",
                    .list(.object([("version", .word), ("scorings", .integer(min: 0))]))
                ),
                ("payments", .integer(min: 1)), ("scorings", .integer(min: 1)),
                ("without_features", .integer(min: 0)), ("agreeing", .integer(min: 0)),
                ("score_difference_mean", .orNull(.number)),
                ("score_difference_max", .orNull(.number)),
                (
                    "verdicts",
                    .list(
                        .object([
                            ("currency", .word), ("live", .word), ("other", .word),
                            ("payments", .integer(min: 1)), ("minor_units", .integer(min: 0)),
                        ]))
                ),
            ])
        ),
    ]

    private static let payments: [(String, Schema)] = [
        (
            "Payment",
            .object([
                ("movement", .word), ("object_id", .word), ("customer", .orNull(.word)),
                ("last_four", .orNull(.text(min: 4, max: 4))), ("brand", .orNull(.word)),
                ("minor_units", .integer(min: 0)), ("amount", .word), ("currency", .word),
                ("created", .seconds), ("first_seen_ms", .integer()), ("merchant", .word),
                ("account", .orNull(.word)),
                ("verdict", .orNull(.words(Verdict.allCases.map(\.rawValue)))),
                ("score", .orNull(.number)),
                ("place", .words(MoneyPlace.allCases.map(\.rawValue))),
                ("review", .orNull(.words(ReviewState.allCases.map(\.rawValue)))),
                ("refunded", .integer()), ("disputed", .integer()), ("dead_letters", .id),
            ])
        ),
        (
            "PaymentPage",
            .object([
                ("payments", .list(.named("Payment"))), ("next", .orNull(.word)),
                ("index_lag", .id),
            ])
        ),
        (
            "PaymentStory",
            .object([
                ("payment", .named("Payment")),
                (
                    "records",
                    .list(
                        .object([
                            ("topic", .words(topics)), ("offset", .id), ("at_ms", .integer()),
                            ("word", .word), ("kept", .flag),
                        ], isOpen: true))
                ), ("event", .orNull(.object([("event_id", .word)], isOpen: true))),
                ("features", .orNull(.named("Features"))),
                ("scoring", .orNull(.named("VerdictGiven"))), ("review", .orNull(.named("Review"))),
                ("decisions", .list(.object([("state", .word), ("by", .word)], isOpen: true))),
                ("transactions", .list(.named("ExplainedTransaction"))),
                (
                    "dead_letters",
                    .list(
                        .object([
                            ("offset", .id), ("at_ms", .integer()), ("stage", .word),
                            ("reason", .word), ("detail", .word), ("topic", .word),
                        ]))
                ),
                (
                    "redrives",
                    .list(
                        .object([
                            ("offset", .id), ("at_ms", .integer()), ("from", .orNull(.word)),
                            ("to", .orNull(.word)), ("edited_by", .orNull(.word)),
                        ]))
                ), ("index_lag", .id),
            ])
        ),
        (
            "Features",
            .object([
                ("offset", .id), ("as_of", .seconds), ("schema", .word), ("earlier", .id),
                (
                    "values",
                    .list(
                        .object([
                            ("name", .word), ("value", .number), ("mean", .orNull(.number)),
                            ("deviation", .orNull(.number)),
                        ]))
                ),
            ])
        ),
        (
            "VerdictGiven",
            .object([
                ("offset", .id), ("verdict", .words(Verdict.allCases.map(\.rawValue))),
                ("score", .orNull(.number)), ("reasons", .list(.object([], isOpen: true))),
                ("model", .orNull(.word)), ("features_as_of", .orNull(.seconds)),
            ])
        ),
        (
            "Report",
            .object([
                ("report", .words(DayReport.allCases.map(\.rawValue))),
                (
                    "days",
                    .list(.object([("day", .text(min: 10)), ("currency", .word)], isOpen: true))
                ), ("index_lag", .id),
            ])
        ),
    ]

    private static let ledger: [(String, Schema)] = [
        (
            "Accounts",
            .object([
                (
                    "accounts",
                    .list(
                        .object([
                            ("account", .word), ("currency", .word), ("minor_units", .integer()),
                            ("amount", .word),
                        ]))
                ), ("as_of", .orNull(.seconds)),
            ])
        ),
        (
            "Entries",
            .object([
                ("account", .word), ("currency", .word),
                (
                    "entries",
                    .list(
                        .object([
                            ("transaction", .id), ("minor_units", .integer()), ("amount", .word),
                        ]))
                ), ("next", .orNull(.id)),
            ])
        ),
        (
            "Transaction",
            .object([
                ("id", .integer(min: 1)), ("movement", .word), ("kind", .word),
                ("event_id", .word), ("effective_at", .seconds), ("posted_at_ms", .integer()),
                ("hash", .text(min: 64, max: 64)),
                (
                    "entries",
                    .list(
                        .object([
                            ("account", .word), ("currency", .word), ("minor_units", .integer()),
                            ("amount", .word),
                        ]))
                ),
            ])
        ),
        (
            "ExplainedTransaction",
            .object(
                [
                    ("id", .integer(min: 1)), ("hash", .text(min: 64, max: 64)),
                    ("movement", .word), ("kind", .word), ("faults", .list(.word)),
                    ("statement", .list(.object([], isOpen: true))), ("webhook", .anything),
                ], isOpen: true)
        ),
        // One of the two, as docs/EXPLAIN.md says.
        ("Explanation", .object([], isOpen: true)),
    ]

    private static let records: [(String, Schema)] = [
        (
            "TopicList",
            .object([
                (
                    "topics",
                    .list(
                        .object([
                            ("topic", .words(topics)), ("start", .id), ("end", .id),
                            ("records", .id), ("bytes", .id),
                            (
                                "readers", .list(.object([("group", .word), ("lag", .id)]))
                            ),
                        ]))
                ),
            ])
        ),
        (
            "Records",
            .object([
                ("topic", .words(topics)),
                (
                    "records",
                    .list(
                        .object(
                            [
                                ("offset", .id), ("timestamp", .integer()), ("time", .word),
                                ("headers", .object([], isOpen: true)),
                            ], isOpen: true))
                ), ("next", .id), ("end", .id), ("scanned", .id),
            ])
        ),
    ]

    private static let topics = TopicID.allCases.map(\.rawValue)
}
