import Appliance
import ArgumentParser
import Cloud
import Daemon
import Logging
import Terminal
import Vocabulary

/// `tillbox cloud …`: what the roles of the profile cloud stand on.
struct CloudCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cloud", abstract: "Make what the roles of the profile cloud need.",
        discussion: """
            Both are of the profile cloud, whichever the settings name. Exit codes: 0 done, 2 \
            wrong usage, 3 cannot run.
            """,
        subcommands: [Prepare.self, Features.self])

    /// `cloud prepare`
    struct Prepare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create missing topics; bring what is in Postgres to this schema.",
            discussion: """
                Repeatable: what is there is checked and left as it is. What cannot be used, or \
                does not answer, is one sentence, and exit code 3. Run it as the owner of the \
                tables, before the roles of a new release start.
                """)
        @OptionGroup var data: DataOptions
        @Option(
            help: """
                The ledger's topics were moved from there to here, each record at its offset: \
                CLUSTER/PREFIX, as the sentence has it that refuses them.
                """)
        var movedFrom: String?

        func validate() throws {
            guard let movedFrom, KafkaOrigin(text: movedFrom) == nil else { return }
            throw ValidationError("--moved-from is CLUSTER/PREFIX, with the slash")
        }

        mutating func run() async throws {
            let settings = try await data.settings(needsSecrets: false, profile: .cloud)
            let movedFrom = movedFrom
            try await orCannotRun {
                try settings.requireKafka(for: "cloud prepare")
                try settings.requirePostgres(for: "cloud prepare")
                let plane = try settings.quietPlane()
                // A server that does not answer is waited for: it is said for which ones.
                try Output.standard.line(
                    "asking Kafka at \(settings.kafka.bootstrap ?? ""), and Postgres as "
                        + "postgres.url has it")
                if let movedFrom { try plane.moveTopics(from: movedFrom) }
                // Before anything is made for a ledger that is booked from elsewhere.
                try plane.requireOwnLedger()
                let created = try plane.topics.prepare()
                for topic in created { try Output.standard.line("created the topic \(topic)") }
                try plane.migrate()
                try plane.migrateAccounts()
                try plane.noteTopics()
                try Output.standard.line(
                    "\(TopicID.allCases.count) topics, the ledger and the console's accounts are "
                        + "ready")
            }
        }
    }
}

extension CloudCommand {
    /// `cloud features`
    struct Features: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compute vectors in place of the job that does: for trying the roles.",
            discussion: """
                Reads payment.validated from its beginning at each start, computes with the code \
                of the profile edge, writes Redis, then payment.features. One instance, until \
                SIGTERM, SIGINT or SIGHUP.
                """)
        @OptionGroup var data: DataOptions

        mutating func run() async throws {
            let settings = try await data.settings(needsSecrets: false, profile: .cloud)
            LineLogHandler.bootstrap(
                level: settings.logLevel, format: settings.logFormat ?? .json
            ) { PastedCommand.completed($0) }
            let logger = Logger(label: "tillbox")
            try await orCannotRun {
                try settings.requireKafka(for: "cloud features")
                try settings.requireRedis(for: "cloud features")
                try await CloudPlane(settings, counters: Counters(), logger: logger).runFeatures()
            }
        }
    }
}

extension DataOptions {
    /// The ledger of the profile that the settings name, for who only looks.
    func ledger() async throws -> any LedgerReading {
        let settings = try await settings(needsSecrets: false)
        guard settings.profile == .cloud else {
            return try FolderView(path: settings.dataPath).ledger()
        }
        return try await orCannotRun {
            try settings.requirePostgres(for: "the ledger of the profile cloud")
            return try settings.quietPlane().ledger()
        }
    }
}

extension Settings {
    /// The cloud plane for a command that ends soon: what is in its way is the one sentence that it
    /// ends with, and nobody reads a client's complaints before it.
    func quietPlane() throws -> CloudPlane {
        try CloudPlane(
            self, counters: Counters(),
            logger: Logger(label: "tillbox") { _ in SwiftLogNoOpLogHandler() })
    }
}
