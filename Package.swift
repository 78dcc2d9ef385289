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

let package = Package(
    name: "tillbox",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "tillbox", targets: ["Appliance"]),
        .library(name: "AppendLog", targets: ["AppendLog"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", exact: "1.4.0",
            traits: [.defaults, "YAML"]),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
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
        .target(
            name: "Bridges", dependencies: ["AppendLog", "COpenSSL"],
            path: "Sources/Bridges", exclude: ["CLibraries"], swiftSettings: strict),

        // The daemon.
        .systemLibrary(
            name: "CXGBoost", path: "Sources/Appliance/CLibraries/CXGBoost",
            providers: [.apt(["libxgboost-dev"])]),
        .target(
            name: "CSimdjson", path: "Sources/Appliance/CLibraries/CSimdjson",
            linkerSettings: [.linkedLibrary("simdjson")]),
        .target(name: "CProcess", path: "Sources/Appliance/CLibraries/CProcess"),

        // Rooms of the daemon: folders that build by themselves, so that the compiler holds their
        // walls and a change builds one of them.
        .target(
            name: "Vocabulary",
            dependencies: [
                "AppendLog", "Bridges", "CSimdjson",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Appliance/Vocabulary", swiftSettings: strict),
        .executableTarget(
            name: "Appliance",
            dependencies: [
                "AppendLog", "Bridges", "Vocabulary", "CXGBoost", "CProcess",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Appliance", exclude: ["CLibraries", "Vocabulary"],
            // Links into model/: the model is compiled into the binary.
            resources: [
                .embedInCode("Score/Resources/fraud.ubj"),
                .embedInCode("Score/Resources/schema.json"),
            ],
            swiftSettings: strict),

        // Tests mirror the sources; Support starts and stops real processes for them.
        .target(name: "TestSupport", path: "Tests/Support", swiftSettings: strict),
        .testTarget(
            name: "AppendLogTests", dependencies: ["AppendLog", "TestSupport"],
            path: "Tests/AppendLog", exclude: ["Record/kafka_records.py"],
            swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["AppendLog", "TestSupport"],
            path: "Tests/Simulation", swiftSettings: strict),
        .testTarget(
            name: "BridgesTests", dependencies: ["Bridges"],
            path: "Tests/Bridges", swiftSettings: strict),
        .testTarget(
            name: "ApplianceTests",
            dependencies: [
                "Appliance", "AppendLog", "Vocabulary", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/Appliance", exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["Appliance", "AppendLog", "Vocabulary", "TestSupport"],
            path: "Tests/EndToEnd", exclude: ["oracle.py"], swiftSettings: strict),
    ],
    cxxLanguageStandard: .cxx17
)
