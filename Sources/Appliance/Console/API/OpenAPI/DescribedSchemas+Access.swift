import Appliance
import Vocabulary

/// Accounts, and the figures of an open console. Times of accounts are milliseconds since 1970.
extension DescribedSchemas {
    private static let role = Schema.words(Role.allCases.map(\.rawValue))
    private static let name = Schema.text(min: 1)
    private static let password = Schema.text(min: Int64(AccessLimits.passwordCharactersMin))
    private static let token: [(String, Schema)] = [
        ("id", .word), ("name", .word), ("role", role), ("created_at", .integer()),
        ("expires_at", .orNull(.integer())), ("last_used_at", .orNull(.integer())),
    ]

    static let access: [(String, Schema)] = [
        (
            "User",
            .object([
                ("name", .word), ("role", role), ("totp", .flag), ("created_at", .integer()),
                ("disabled_at", .orNull(.integer())),
            ])
        ),
        ("NewUser", .object([("name", name), ("role", role), ("password", password)])),
        ("UserChange", .options([("role", role), ("disabled", .flag)])),
        ("NewPassword", .object([("password", password)])),
        ("OwnPassword", .object([("current", .text()), ("password", password)])),
        ("CodesChange", .options([("enabled", .flag)])),
        (
            "Codes",
            .object([
                ("name", .word), ("totp", .flag), ("secret", .orNull(.word)),
                ("uri", .orNull(.word)),
            ])
        ),
        ("Token", .object(token)),
        ("TokenShown", .object(token + [("token", .word)])),
        (
            "NewToken",
            // Without `expires_at` it holds until it is removed.
            .form([("name", name), ("role", role)], optional: [("expires_at", .integer())])
        ),
        (
            "Session",
            .object([
                ("id", .word), ("name", .word), ("role", role), ("created_at", .integer()),
                ("last_seen_at", .integer()),
            ])
        ),
        (
            "AuditEntry",
            .object([
                ("seq", .id), ("at", .integer()), ("who", .word), ("what", .word),
                ("from", .orNull(.word)), ("detail", .word),
                ("hash", .text(min: 64, max: 64)),
            ])
        ),
    ]

    private static let latency = Schema.object([("p50_us", .id), ("p99_us", .id)])
    private static let bucket = Schema.object([
        ("ended_at", .seconds), ("booked", .integer()), ("to_ledger", latency),
    ])

    static let live: [(String, Schema)] = [
        (
            "LiveFigures",
            .object([
                ("at", .integer()), ("started_at", .integer()), ("ready", .flag),
                ("reasons", .list(.word)), ("warnings", .list(.word)),
                (
                    "stages",
                    .list(.object([("topic", .word), ("records", .id), ("rate", .number)]))
                ),
                (
                    "readers",
                    .list(
                        .object([
                            ("group", .word), ("topic", .word), ("next", .id), ("lag", .id),
                            ("oldest_unread_at", .orNull(.integer())),
                        ]))
                ),
                ("counters", .object([], isOpen: true)), ("rates", .object([], isOpen: true)),
                ("volume", .list(.object([("currency", .word), ("amount", .integer())]))),
                ("latency", .object([("to_ledger", latency), ("to_answer", latency)])),
                ("bridges", .list(.object([("name", .word)], isOpen: true))),
                ("money", .orNull(.named("MoneyLook"))),
                ("oldest_unread_at", .orNull(.integer())),
                ("stripe_ahead_ms", .orNull(.integer())), ("payments_left_out", .id),
                ("verified_at", .orNull(.seconds)), ("backed_up_at", .orNull(.seconds)),
                ("bucket", .orNull(bucket)), ("history", .list(bucket)),
            ])
        ),
        (
            "MoneyLook",
            .object([
                ("checked_at", .integer()), ("is_zero", .flag),
                ("trial_balance", .list(.object([("currency", .word), ("sum", .integer())]))),
                ("reconciliation", .orNull(.object([], isOpen: true))),
                (
                    "reviews",
                    .object([
                        ("open", .id), ("is_more", .flag), ("oldest_at", .orNull(.seconds)),
                    ])
                ),
            ])
        ),
    ]
}
