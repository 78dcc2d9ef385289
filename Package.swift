// swift-tools-version: 6.2
import PackageDescription

/// Release builds whose internals tests may import; the Makefile asks for them. The flag is for our
/// own modules alone: with it on every package, the servers below us are slower.
let testable: [SwiftSetting] =
    Context.environment["TILLBOX_TESTABLE"] == nil
    ? [] : [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]

/// Every Swift target is held to the same rules: Swift 6 mode, the upcoming features that make
/// existentials, imports and isolation explicit, and no warning left standing.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
] + testable

/// The daemon's rooms but the last ones, `Bench` and `Command`; they are named together by who puts
/// them together, and by tests.
let rooms: [Target.Dependency] = [
    "Appliance", "Backup", "Cloud", "Console", "Daemon", "Reconcile", "Relay", "Terminal",
    "Traffic", "Twin", "Vocabulary", "Warehouse",
]

/// Tests are compiled without optimisation, and a few files at a time on each core, which takes
/// minutes less; what they call is as it ships. The log's tests are optimised like it: they go
/// through its bytes themselves, and take 15 s in place of 350.
let tests: [SwiftSetting] =
    strict
    + (Context.environment["TILLBOX_TESTABLE"] == nil
        ? []
        : [
            .unsafeFlags(
                ["-Onone", "-no-whole-module-optimization", "-enable-batch-mode"],
                .when(configuration: .release))
        ])

let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")
let deques: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let embeddedChannels: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let sqlite: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let security: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

/// What most rooms need to run and to say what they do.
let running: [Target.Dependency] = [
    .product(name: "Logging", package: "swift-log"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
]

/// What the rooms at the network need.
let network: [Target.Dependency] = [
    .product(name: "AsyncHTTPClient", package: "async-http-client"),
    .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "Hummingbird", package: "hummingbird"),
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

let package = Package(
    name: "tillbox",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "tillbox", targets: ["Command"]),
        .library(name: "AppendLog", targets: ["AppendLog"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", exact: "1.4.0",
            traits: [.defaults, "YAML"]),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        // The log: bytes, keys and offsets. It depends on nothing of ours.
        .target(name: "CChecksum", path: "Sources/AppendLog/CLibraries/CChecksum"),
        .target(
            name: "AppendLog",
            dependencies: ["CChecksum"],
            path: "Sources/AppendLog", exclude: ["CLibraries"], swiftSettings: strict),

        // The outside systems: bytes, keys and SQL, never money.
        .systemLibrary(
            name: "COpenSSL", path: "Sources/Bridges/CLibraries/COpenSSL",
            pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CHiredis", path: "Sources/Bridges/CLibraries/CHiredis",
            providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(
            name: "CPostgres", path: "Sources/Bridges/CLibraries/CPostgres",
            pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(
            name: "CRDKafka", path: "Sources/Bridges/CLibraries/CRDKafka",
            providers: [.apt(["librdkafka-dev"])]),
        .target(
            name: "Bridges",
            dependencies: ["AppendLog", "CHiredis", "COpenSSL", "CPostgres", "CRDKafka"],
            path: "Sources/Bridges", exclude: ["CLibraries"], swiftSettings: strict),

        // The daemon.
        .systemLibrary(
            name: "CXGBoost", path: "Sources/Appliance/CLibraries/CXGBoost",
            providers: [.apt(["libxgboost-dev"])]),
        .target(
            name: "CSimdjson", path: "Sources/Appliance/CLibraries/CSimdjson",
            linkerSettings: [.linkedLibrary("simdjson")]),
        .target(name: "CProcess", path: "Sources/Appliance/CLibraries/CProcess"),

        // The daemon's rooms: folders that build by themselves, so that the compiler holds their
        // walls and a change builds one of them. `Appliance` is the middle, in which a payment
        // passes from the gate to the ledger; it stays in one piece.
        .target(
            name: "Vocabulary",
            dependencies: [
                "AppendLog", "Bridges", "CSimdjson",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ] + running,
            path: "Sources/Appliance/Vocabulary", swiftSettings: strict),
        .target(
            name: "Terminal", dependencies: ["Vocabulary"] + running,
            path: "Sources/Appliance/Terminal", swiftSettings: strict),
        .target(
            name: "Appliance",
            dependencies: [
                "AppendLog", "Bridges", "CXGBoost", "Vocabulary", deques, security, sqlite, system,
            ] + running + network,
            path: "Sources/Appliance",
            exclude: [
                "Backup", "Bench", "CLibraries", "Cloud", "Command", "Console", "Daemon",
                "Pipeline.swift", "Reconcile", "Relay", "Terminal", "Traffic", "Twin", "Vocabulary",
                "Warehouse",
            ],
            // Links into model/ and migrations/: both are compiled into the binary.
            resources: [
                .embedInCode("Ledger/SQLite/Resources/0001_ledger.sql"),
                .embedInCode("Ledger/SQLite/Resources/0002_reconciliation.sql"),
                .embedInCode("Ledger/SQLite/Resources/0003_waiting.sql"),
                .embedInCode("Ledger/SQLite/Resources/0004_reconciliation_accounts.sql"),
                .embedInCode("Ledger/SQLite/Resources/0005_reviews.sql"),
                .embedInCode("Ledger/SQLite/Resources/0006_checksums.sql"),
                .embedInCode("Ledger/SQLite/Resources/0007_renewed_reviews.sql"),
                .embedInCode("Ledger/SQLite/Resources/0008_bank.sql"),
                .embedInCode("Ledger/SQLite/Resources/0009_payout_lines.sql"),
                .embedInCode("Ledger/SQLite/Resources/0010_bank_corrections.sql"),
                .embedInCode("Ledger/Postgres/Resources/postgres_0001_ledger.sql"),
                .embedInCode("Ledger/Postgres/Resources/postgres_0002_reconciliation.sql"),
                .embedInCode("Ledger/Postgres/Resources/postgres_0003_payout_lines.sql"),
                .embedInCode("Ledger/Postgres/Resources/postgres_0004_console_reading.sql"),
                .embedInCode("Ledger/Postgres/Resources/postgres_grants.sql"),
                .embedInCode("Score/Resources/fraud.ubj"),
                .embedInCode("Score/Resources/schema.json"),
                .embedInCode("Score/Resources/CARD.md"),
            ],
            swiftSettings: strict),
        .target(
            name: "Reconcile",
            dependencies: ["AppendLog", "Appliance", "Vocabulary", coreMetrics, sqlite] + running
                + network,
            path: "Sources/Appliance/Reconcile", swiftSettings: strict),
        // Files for DuckDB and BigQuery.
        .systemLibrary(
            name: "CZlib", path: "Sources/Appliance/CLibraries/CZlib",
            providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "Warehouse",
            dependencies: [
                "AppendLog", "Appliance", "Bridges", "CZlib", "Reconcile", "Vocabulary", sqlite,
                system, .product(name: "JWTKit", package: "jwt-kit"),
            ] + running + network,
            path: "Sources/Appliance/Warehouse", swiftSettings: strict),
        // Copies of a data folder, to be restored.
        .target(
            name: "Backup",
            dependencies: ["AppendLog", "Appliance", "Bridges", "Vocabulary"],
            path: "Sources/Appliance/Backup", swiftSettings: strict),
        .target(
            name: "Cloud",
            dependencies: ["AppendLog", "Appliance", "Bridges", "Vocabulary"] + running,
            path: "Sources/Appliance/Cloud", swiftSettings: strict),
        .target(
            name: "Relay",
            dependencies: ["AppendLog", "Appliance", "Bridges", "Vocabulary"] + running,
            path: "Sources/Appliance/Relay", swiftSettings: strict),
        .target(
            name: "Console",
            dependencies: [
                "AppendLog", "Appliance", "Backup", "Bridges", "Reconcile", "Relay", "Vocabulary",
                coreMetrics, mustache, sqlite,
            ] + running + network,
            path: "Sources/Appliance/Console",
            // The pages, whole: the binary serves them and needs no folder beside it. Links into
            // migrations/ for the accounts in Postgres.
            resources: [
                .embedInCode("Access/Postgres/Resources/console_0001_accounts.sql"),
                .embedInCode("Access/Postgres/Resources/console_grants.sql"),
                .embedInCode("Pages/Templates/layout.mustache"),
                .embedInCode("Pages/Templates/door.mustache"),
                .embedInCode("Pages/Templates/sheet.mustache"),
                .embedInCode("Pages/Templates/mark.mustache"),
                .embedInCode("Pages/Templates/stop.mustache"),
                .embedInCode("Pages/Templates/tick.mustache"),
                .embedInCode("Pages/Templates/amount.mustache"),
                .embedInCode("Pages/Templates/link.mustache"),
                .embedInCode("Pages/Templates/figure.mustache"),
                .embedInCode("Pages/Templates/state.mustache"),
                .embedInCode("Pages/Templates/moment.mustache"),
                .embedInCode("Pages/Templates/login.mustache"),
                .embedInCode("Pages/Templates/setup.mustache"),
                .embedInCode("Pages/Templates/problem.mustache"),
                .embedInCode("Pages/Templates/overview.mustache"),
                .embedInCode("Pages/Templates/topology.mustache"),
                .embedInCode("Pages/Templates/payments.mustache"),
                .embedInCode("Pages/Templates/payment.mustache"),
                .embedInCode("Pages/Templates/review.mustache"),
                .embedInCode("Pages/Templates/reasons.mustache"),
                .embedInCode("Pages/Templates/caseSheet.mustache"),
                .embedInCode("Pages/Templates/trail.mustache"),
                .embedInCode("Pages/Templates/bank.mustache"),
                .embedInCode("Pages/Templates/month.mustache"),
                .embedInCode("Pages/Templates/ledger.mustache"),
                .embedInCode("Pages/Templates/account.mustache"),
                .embedInCode("Pages/Templates/explain.mustache"),
                .embedInCode("Pages/Templates/waiting.mustache"),
                .embedInCode("Pages/Templates/log.mustache"),
                .embedInCode("Pages/Templates/records.mustache"),
                .embedInCode("Pages/Templates/letters.mustache"),
                .embedInCode("Pages/Templates/letter.mustache"),
                .embedInCode("Pages/Templates/record.mustache"),
                .embedInCode("Pages/Templates/tail.mustache"),
                .embedInCode("Pages/Templates/sections.mustache"),
                .embedInCode("Pages/Templates/linked.mustache"),
                .embedInCode("Pages/Templates/chart.mustache"),
                .embedInCode("Pages/Templates/period.mustache"),
                .embedInCode("Pages/Templates/reports.mustache"),
                .embedInCode("Pages/Templates/report.mustache"),
                .embedInCode("Pages/Templates/decisions.mustache"),
                .embedInCode("Pages/Templates/runs.mustache"),
                .embedInCode("Pages/Templates/run.mustache"),
                .embedInCode("Pages/Templates/transactions.mustache"),
                .embedInCode("Pages/Templates/transaction.mustache"),
                .embedInCode("Pages/Templates/statement.mustache"),
                .embedInCode("Pages/Templates/verify.mustache"),
                .embedInCode("Pages/Templates/export.mustache"),
                .embedInCode("Pages/Templates/settings.mustache"),
                .embedInCode("Pages/Templates/settingsAudit.mustache"),
                .embedInCode("Pages/Templates/settingsBackups.mustache"),
                .embedInCode("Pages/Templates/settingsBridges.mustache"),
                .embedInCode("Pages/Templates/settingsCard.mustache"),
                .embedInCode("Pages/Templates/settingsCodes.mustache"),
                .embedInCode("Pages/Templates/settingsEndpoints.mustache"),
                .embedInCode("Pages/Templates/settingsHead.mustache"),
                .embedInCode("Pages/Templates/settingsModel.mustache"),
                .embedInCode("Pages/Templates/settingsTokens.mustache"),
                .embedInCode("Pages/Templates/settingsUser.mustache"),
                .embedInCode("Pages/Templates/settingsUsers.mustache"),
                .embedInCode("Pages/Templates/send.mustache"),
                .embedInCode("Pages/Templates/sent.mustache"),
                .embedInCode("Pages/Assets/tokens.css"),
                .embedInCode("Pages/Assets/console.css"),
                .embedInCode("Pages/Assets/pages.css"),
                .embedInCode("Pages/Assets/console.js"),
                .embedInCode("Pages/Assets/review.js"),
                .embedInCode("Pages/Assets/overview.js"),
                .embedInCode("Pages/Assets/log.js"),
                .embedInCode("Pages/Assets/send.js"),
                .embedInCode("Pages/Assets/icon.svg"),
                .embedInCode("Pages/Assets/refresh.js"),
            ],
            swiftSettings: strict),
        .target(
            name: "Daemon",
            dependencies: [
                "AppendLog", "Appliance", "Backup", "Bridges", "CProcess", "Cloud", "Console",
                "Reconcile", "Relay", "Terminal", "Traffic", "Vocabulary", "Warehouse", security,
                system,
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Yams", package: "Yams"),
            ] + running + network,
            path: "Sources/Appliance",
            exclude: [
                "Backup", "Bench", "CLibraries", "Cloud", "Command", "Console", "Embedded",
                "Features", "Gate", "Ledger", "Reconcile", "Redrive", "Relay", "Replay",
                "Retraining", "Review", "Score", "Stages", "Start", "Terminal", "Traffic", "Twin",
                "Validate", "Vocabulary", "Warehouse",
            ],
            sources: ["Daemon", "Pipeline.swift"], swiftSettings: strict),
        .target(
            name: "Traffic",
            dependencies: [
                "AppendLog", "Bridges", "Vocabulary",
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Sources/Appliance/Traffic", swiftSettings: strict),
        .target(
            name: "Twin",
            dependencies: [
                "AppendLog", "Bridges", "Traffic", "Vocabulary", deques,
                .product(name: "HeapModule", package: "swift-collections"),
            ] + running + network,
            path: "Sources/Appliance/Twin", swiftSettings: strict),
        .target(
            name: "Bench",
            dependencies: [
                "AppendLog", "Appliance", "Bridges", "Daemon", "Reconcile", "Terminal", "Traffic",
                "Twin", "Vocabulary", argumentParser, sqlite,
            ] + running + network,
            path: "Sources/Appliance/Bench", swiftSettings: strict),
        .executableTarget(
            name: "Command",
            dependencies: [
                "AppendLog", "Bench", "Bridges", argumentParser,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ] + rooms + running + network,
            path: "Sources/Appliance/Command", swiftSettings: strict),

        // Tests mirror the sources; Support starts and stops real processes for them.
        .target(name: "CAllocations", path: "Tests/Support/CLibraries/CAllocations"),
        .target(
            name: "TestSupport", dependencies: ["CAllocations"],
            path: "Tests/Support",
            exclude: [
                "CLibraries", "Servers/forget_group.py", "Servers/guarded.py",
                "Servers/kafka_mending.py", "Servers/kafka_proxy.py", "Servers/topic_bound.py",
            ],
            swiftSettings: tests),
        .target(
            name: "LogSupport", dependencies: ["AppendLog"],
            path: "Tests/AppendLog/Support", swiftSettings: strict),
        .testTarget(
            name: "AppendLogTests", dependencies: ["AppendLog", "LogSupport", "TestSupport"],
            path: "Tests/AppendLog", exclude: ["Record/kafka_records.py", "Support"],
            swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["AppendLog", "LogSupport", "TestSupport"],
            path: "Tests/Simulation", swiftSettings: strict),
        .testTarget(
            name: "BridgesTests", dependencies: ["AppendLog", "Bridges", "TestSupport"],
            path: "Tests/Bridges", swiftSettings: tests),
        .target(
            name: "TwinSupport",
            dependencies: ["AppendLog", "Traffic", "Twin", "Vocabulary"] + running + network,
            path: "Tests/Twin/Support", swiftSettings: tests),
        .testTarget(
            name: "TwinTests",
            dependencies: [
                "AppendLog", "Traffic", "Twin", "Vocabulary", "TestSupport", "TwinSupport",
                embeddedChannels,
            ] + running + network,
            path: "Tests/Twin", exclude: ["Support"], swiftSettings: tests),
        .testTarget(
            name: "ApplianceTests",
            dependencies: [
                "AppendLog", "Bench", "Bridges", "Command", "LogSupport", "TestSupport",
                "TwinSupport", coreMetrics, embeddedChannels, sqlite,
            ] + rooms + running + network,
            path: "Tests/Appliance", exclude: ["Fixtures"], swiftSettings: tests),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["AppendLog", "Command", "TestSupport"] + rooms + running,
            path: "Tests/EndToEnd", exclude: [
                "cloud_oracle.py", "console.py", "console_live.py", "console_records.py",
                "console_reports.py", "console_send.py", "console_settings.py", "kept_sockets.py",
                "oracle.py",
            ],
            swiftSettings: tests),
    ],
    cxxLanguageStandard: .cxx17
)
