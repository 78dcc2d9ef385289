import AppendLog
import Appliance
import ArgumentParser
import Daemon
import Foundation
import Logging
import NIOHTTP1
import Relay
import Terminal
import Vocabulary

/// `tillbox bridge …`: copies of the local log and ledger in other systems.
struct BridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge", abstract: "Look at the bridges, compare both sides, pause them.",
        discussion: """
            list, pause, resume and forget ask the running daemon; all but list write it down \
            themselves where none runs. verify reads both sides itself. The profile cloud has no \
            bridges. docs/BRIDGES.md says what stops one. Exit codes: 0 done, 1 verify found a \
            difference, 2 wrong usage, 3 cannot run.
            """,
        subcommands: [List.self, Verify.self, Pause.self, Resume.self, Forget.self])

    /// How a bridge is named.
    struct NameOptions: ParsableArguments {
        @OptionGroup var data: DataOptions
        @Argument(help: "kafka, redis or postgres.") var name: String
        @Flag(help: "Answer with one JSON document.") var json = false

        func validate() throws {
            guard BridgeName(rawValue: name) == nil else { return }
            throw ValidationError(
                "there is no bridge \(name); bridges are "
                    + BridgeName.allCases.map(\.rawValue).joined(separator: ", "))
        }

        /// The bridge, which the settings must list.
        func bridge(of settings: Settings) throws(CommandFailure) -> BridgeName {
            guard let name = BridgeName(rawValue: name), settings.bridges.contains(name) else {
                throw .cannotRun(
                    "the bridge \(name) is not configured; name it in bridges "
                        + "(TILLBOX_BRIDGES)")
            }
            return name
        }

        /// Says what was done, as the options want it.
        func tell(_ sentence: String) throws(CommandFailure) {
            guard json else { return try Output.standard.line(sentence) }
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("name", name)
            writer.member("message", sentence)
            writer.endObject()
            try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
        }
    }

    /// `bridge list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the bridges: state, lag, rate and the last error.")
        @OptionGroup var data: DataOptions
        @Flag(help: "Answer with one JSON document.") var json = false

        mutating func run() async throws {
            let settings = try await data.folderSettings(
                insteadInCloud: BridgeText.insteadInCloud)
            let connection = AdminConnection(settings)
            let path = "/api/v1/bridges"
            guard !json else {
                return try Output.standard.line(try await connection.text(path))
            }
            let text = try await connection.send(.GET, path) { root in
                guard let bridges = root["bridges"]?.array else { throw connection.strange(path) }
                let table = BridgeText.table(bridges)
                    ?? "no bridge is configured; docs/BRIDGES.md says how"
                return ([table] + BridgeText.former(root["former"]?.array)).joined(separator: "\n")
            }
            try Output.standard.line(PastedCommand.completed(text))
        }
    }

    /// `bridge verify`
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare what the target has with the local log or ledger, to the last byte.",
            discussion: """
                Counts, sums and hashes of both sides up to where the bridge has come, and the \
                first difference. Reads both sides, with or without a running daemon, and changes \
                neither. Exit code 1 if they differ, 3 if one of them cannot be read.
                """)
        @OptionGroup var options: NameOptions

        mutating func run() async throws {
            let settings = try await options.data.folderSettings(
                insteadInCloud: BridgeText.insteadInCloud)
            let name = try options.bridge(of: settings)
            let view = FolderView(path: settings.dataPath)
            let (source, ledger) = (try view.relaySource(), try view.ledger())
            let quiet = Logger(label: "tillbox") { _ in SwiftLogNoOpLogHandler() }
            let target = RelayTargets(settings: settings, logger: quiet) { ledger }.target(name)
            let verification: BridgeVerification
            do throws(RelayFailure) {
                verification = try await target.verify(source)
            } catch {
                switch error {
                case .passing(let sentence), .permanent(let sentence):
                    throw CommandFailure.cannotRun(sentence)
                }
            }
            try print(verification, of: name)
            guard verification.agrees else {
                throw CommandFailure.foundSomething(
                    verification.firstDifference
                        ?? "counts or sums of \(name.rawValue) differ from the local ones")
            }
        }

        private func print(_ verification: BridgeVerification, of name: BridgeName) throws {
            guard !options.json else {
                var writer = JSONWriter()
                verification.encode(name: name, into: &writer)
                return try Output.standard.line(String(decoding: writer.bytes, as: UTF8.self))
            }
            let rows = verification.parts.map { part in
                [
                    "part": .text(part.name), "here": .number(part.localCount),
                    "there": .number(part.targetCount), "digest here": .text(part.localDigest),
                    "digest there": .text(part.targetDigest), "equal": .flag(part.agrees),
                ] as [String: Table.Cell]
            }
            try Output.standard.line(
                Table(
                    columns: ["part", "here", "there", "digest here", "digest there", "equal"],
                    rows: rows
                ).text())
        }
    }

    /// `bridge pause`
    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop copying to a target until it is resumed, over restarts too.")
        @OptionGroup var options: NameOptions
        @Option(help: "Who asks; the user of this machine by default.") var by: String?

        mutating func run() async throws {
            try await BridgeDoor(options: options).change(to: .paused, by: by)
        }
    }

    /// `bridge resume`
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Go on copying to a target that was paused, or that has stopped.")
        @OptionGroup var options: NameOptions
        @Option(help: "Who asks; the user of this machine by default.") var by: String?

        mutating func run() async throws {
            try await BridgeDoor(options: options).change(to: .resumed, by: by)
        }
    }
}

extension BridgeCommand {
    /// `bridge forget`
    struct Forget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let go what the log keeps for a bridge that is not configured any more.",
            discussion: """
                A bridge that was configured once holds back retention, so that it can go on where \
                it was. Forgotten, it begins with what is left, should it ever come back.
                """)
        @OptionGroup var options: NameOptions
        @Option(help: "Who asks; the user of this machine by default.") var by: String?

        mutating func run() async throws {
            let settings = try await options.data.folderSettings(
                insteadInCloud: BridgeText.insteadInCloud)
            guard let name = BridgeName(rawValue: options.name) else { return }
            guard !settings.bridges.contains(name) else {
                throw CommandFailure.cannotRun(FormerBridgeRefusal.isConfigured(name).description)
            }
            _ = try FolderView(path: settings.dataPath).logPath()
            try FolderOwner.become(of: settings.dataPath)
            do {
                try await EmbeddedPlane.offline(settings) { try await $0.forget(name, settings) }
                OfflineAudit.note(settings, "bridge forgotten", name.rawValue)
            } catch LogError.locked {
                try await ask(name, settings)
            } catch let refusal as FormerBridgeRefusal {
                throw CommandFailure.cannotRun(refusal.description)
            } catch {
                throw CommandFailure.ofFolder(error)
            }
            try options.tell("\(name.rawValue) is forgotten: the log keeps nothing for it any more")
        }

        /// The daemon holds the folder, and forgets.
        private func ask(_ name: BridgeName, _ settings: Settings) async throws {
            let connection = AdminConnection(settings)
            let body = BridgeDoor.body(by, connection)
            let path = "/api/v1/bridges/\(name.rawValue)/forget"
            try await connection.send(.POST, path, body: body) { root in
                guard root["forgotten"]?.bool == true else { throw connection.strange(path) }
            }
        }
    }
}

/// The way to whoever may pause a bridge: this process, or the daemon that holds the folder.
private struct BridgeDoor {
    enum Change: String { case paused, resumed }

    let options: BridgeCommand.NameOptions

    /// What the daemon is told of who asks. `by` is left out where it knows, and nobody was named.
    static func body(_ by: String?, _ connection: AdminConnection) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        if let by = by ?? (connection.saysWho ? FolderOwner.caller : nil) {
            writer.member("by", by)
        }
        writer.endObject()
        return writer.bytes
    }

    func change(to change: Change, by named: String?) async throws {
        let settings = try await options.data.folderSettings(
            insteadInCloud: BridgeText.insteadInCloud)
        let name = try options.bridge(of: settings)
        _ = try FolderView(path: settings.dataPath).logPath()
        try FolderOwner.become(of: settings.dataPath)
        do {
            let lock = try FolderLock(settings.dataPath)
            defer { lock.release() }
            let by = try OfflineAudit.name(named ?? FolderOwner.caller)
            try keep(change, of: name, by: by, settings)
            OfflineAudit.note(settings, "bridge \(change.rawValue)", "\(name.rawValue) by \(by)")
            try options.tell(
                "\(name.rawValue) is \(change.rawValue); it counts from the next start on")
        } catch LogError.locked {
            let connection = AdminConnection(settings)
            let verb = change == .paused ? "pause" : "resume"
            let text = try await connection.send(
                .POST, "/api/v1/bridges/\(name.rawValue)/\(verb)",
                body: Self.body(named, connection)
            ) { BridgeText.line($0) }
            try options.tell(text)
        } catch let error as LogError {
            throw CommandFailure.cannotRun(error.description)
        }
    }

    private func keep(
        _ change: Change, of name: BridgeName, by: String, _ settings: Settings
    ) throws(CommandFailure) {
        let pauses = BridgePauses(folder: DataFolder(existingAt: settings.dataPath).bridges)
        do throws(RelayFailure) {
            switch change {
            case .paused:
                let now = Instant(seconds: SystemLogClock().now().milliseconds / 1_000)
                try pauses.keep(BridgePause(by: by, at: now), of: name)
            case .resumed: try pauses.remove(of: name)
            }
        } catch {
            switch error {
            case .passing(let sentence), .permanent(let sentence): throw .cannotRun(sentence)
            }
        }
    }
}

/// Bridges in words, from what the admin API answers.
enum BridgeText {
    /// What the profile cloud has not, and has instead.
    static let insteadInCloud =
        "no bridges: its roles write to Kafka, Redis and Postgres themselves; `tillbox status` "
        + "says how a role stands"

    /// nil where there is none.
    static func table(
        _ bridges: JSONElements, at now: Int64 = SystemLogClock().now().milliseconds / 1_000
    ) -> String? {
        let rows = bridges.map { bridge in
            [
                "bridge": .text(bridge["name"]?.string ?? ""),
                "state": .text((bridge["state"]?.string ?? "").replacing("_", with: " ")),
                "lag": .number(bridge["lag"]?.int64 ?? 0),
                "records/s": .decimal(bridge["rate"]?.double ?? 0, places: 1),
                "copied": .number(bridge["delivered"]?.int64 ?? 0),
                "last": bridge["last_delivery"]?.int64.map {
                    .text(Instant(seconds: $0).rfc3339)
                } ?? .none,
                "last error": .text(lastError(of: bridge, at: now)),
            ] as [String: Table.Cell]
        }
        guard !rows.isEmpty else { return nil }
        return Table(
            columns: ["bridge", "state", "lag", "records/s", "copied", "last", "last error"],
            rows: rows
        ).text()
    }

    /// What is in its way now, with its sentence; what is over, as past: `--json` tells that whole.
    private static func lastError(of bridge: JSONValue, at now: Int64) -> String {
        guard let sentence = bridge["last_error"]?.string else { return "" }
        if ["backing_off", "circuit_open", "stopped"].contains(bridge["state"]?.string)
            || bridge["waiting"]?.bool == true
        {
            return sentence
        }
        let ago = Figures.ago(
            seconds: Double(now) - Double(bridge["last_error_at"]?.int64 ?? now))
        guard bridge["working_since"]?.int64 != nil else { return "\(ago): \(sentence)" }
        return bridge["state"]?.string == "running" ? "\(ago), working since" : "\(ago)"
    }

    /// A line for each bridge that is not configured any more.
    static func former(_ bridges: JSONElements?) -> [String] {
        (bridges?.map { $0 } ?? []).map { bridge in
            let name = bridge["name"]?.string ?? "a bridge"
            return "\(name) is not configured any more; the log keeps "
                + "\(lag(of: bridge)) for it until `tillbox bridge forget "
                + "\(name)`"
        }
    }

    static func line(_ bridge: JSONValue) -> String {
        let name = bridge["name"]?.string ?? "the bridge"
        let state = (bridge["state"]?.string ?? "unknown").replacing("_", with: " ")
        return "\(name) is \(state), \(lag(of: bridge)) behind"
    }

    /// `1 record`
    private static func lag(of bridge: JSONValue) -> String {
        Counted.words(bridge["lag"]?.int64 ?? 0, "record")
    }
}
