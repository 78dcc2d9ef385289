import Foundation
import TestSupport
import Testing

/// The roles of the profile cloud as processes, over real servers of the test's own.
@Suite("The cloud roles as processes", .serialized)
struct CloudRunTests {
    /// What a test's processes are told, and where they run.
    private struct Place {
        let folder: TemporaryFolder
        var environment: [String: String]

        init() async throws {
            folder = try TemporaryFolder()
            let postgres = try PostgresServer.common()
            let database = postgres.databaseName()
            try postgres.sql("postgres", "CREATE DATABASE \(database)")
            environment = [
                "TILLBOX_PROFILE": "cloud",
                "TILLBOX_KAFKA_BOOTSTRAP": try await KafkaServer.shared().bootstrap,
                "TILLBOX_KAFKA_TOPIC_PREFIX": "\(database).", "TILLBOX_KAFKA_PARTITIONS": "2",
                "TILLBOX_REDIS_URL": try await RedisServer.shared().url,
                "TILLBOX_REDIS_PREFIX": "\(database):",
                "TILLBOX_POSTGRES_URL": postgres.uri(database),
                "TILLBOX_WEBHOOK_SECRET": "whsec_test", "TILLBOX_WEBHOOK_LIVEMODE": "any",
                "TILLBOX_DATA": folder.file("data"), "TILLBOX_LOGGING_FORMAT": "json",
                // Wherever a program writes to that was not told where.
                "HOME": folder.path, "TMPDIR": folder.path, "XDG_STATE_HOME": folder.path,
            ]
        }

        func run(_ words: String...) async throws -> (code: Int32, output: String, errors: String) {
            try await Child.run(Tillbox.executable, words, environment: environment)
        }

        /// The same with other settings.
        func run(
            _ words: [String], _ more: [String: String]
        ) async throws -> (code: Int32, output: String, errors: String) {
            try await Child.run(
                Tillbox.executable, words, environment: environment.merging(more) { $1 })
        }

        func start(_ role: String, _ more: [String: String] = [:]) throws -> Child {
            let ports = ["TILLBOX_ADMIN_PORT": "\(try freePort())"]
            return try Child(
                Tillbox.executable, ["run", "--role", role],
                environment: environment.merging(ports) { $1 }.merging(more) { $1 })
        }
    }

    private static func listens(_ child: Child, _ role: String) async throws {
        try await eventually("\(role) listens: \(child.standardError.suffix(800))") {
            !child.isRunning || child.standardError.contains("\"role\":\"admin\"")
        }
        #expect(child.isRunning, "\(child.standardError.suffix(800))")
    }

    /// Regular files that a process has open for writing, but for its own words' two.
    private static func writtenFiles(_ child: Child) throws -> [String] {
        let process = "/proc/\(child.processID)"
        let files = FileManager.default
        return try files.contentsOfDirectory(atPath: "\(process)/fd").compactMap { number in
            guard !["0", "1", "2"].contains(number),
                let path = try? files.destinationOfSymbolicLink(atPath: "\(process)/fd/\(number)"),
                path.hasPrefix("/"), !path.hasPrefix("/dev/"),
                let words = try? String(
                    contentsOfFile: "\(process)/fdinfo/\(number)", encoding: .utf8),
                let flags = words.split(separator: "\n").first(where: { $0.hasPrefix("flags:") }),
                let mode = flags.last?.wholeNumberValue, mode & 3 != 0
            else { return nil }
            return path
        }
    }

    /// Stops it in good order, and before a platform would kill it: after 30 s.
    private static func stop(_ child: Child, _ role: String) async {
        let begun = ContinuousClock.now
        child.kill(SIGTERM)
        #expect(await child.wait() == 0, "\(role): \(child.standardError.suffix(800))")
        #expect(begun.duration(to: .now) < .seconds(25), "\(role)")
    }

    @Test("refuse to start before they are prepared, and name what prepares them")
    func unprepared() async throws {
        let place = try await Place()
        for role in ["webhook", "score", "ledger", "console"] {
            let child = try place.start(role)
            #expect(await child.wait() == 3, "\(role)")
            #expect(child.standardError.contains("tillbox cloud prepare"), "\(role)")
        }
        let none = try await place.run("run")
        #expect(none.code == 78 && none.errors.contains("--role webhook, score, ledger or console"))
    }

    @Test("book what is delivered, take people's decisions, write no file, and stop in time")
    func wholeWay() async throws {
        let place = try await Place()
        for _ in 0..<2 {
            let prepared = try await place.run("cloud", "prepare")
            #expect(prepared.code == 0, "\(prepared.errors)")
            #expect(prepared.output.contains("7 topics, the ledger and the console"))
        }
        let port = try freePort()
        let children = [
            ("ledger", try place.start("ledger")), ("score", try place.start("score")),
            ("webhook", try place.start("webhook", ["PORT": "\(port)"])),
        ]
        for (role, child) in children { try await Self.listens(child, role) }
        try await eventually("the webhook port answers") {
            (try? RawConnection(port: port)) != nil
        }
        let sent = try await Tillbox.simulate(to: port, count: 300)
        #expect(sent.code == 0, "\(sent.errors)")
        // Nobody computes vectors here: whoever pays is looked at by a person.
        var movement = ""
        try await eventually("a review is open") {
            let list = try await place.run("review", "list", "--json")
            let json = try JSONSerialization.jsonObject(with: Data(list.output.utf8))
            let reviews = (json as? [String: Any])?["reviews"] as? [[String: Any]]
            movement = reviews?.first?["movement"] as? String ?? ""
            return !movement.isEmpty
        }
        let decided = try await place.run("review", "approve", movement, "--note", "a good one")
        #expect(decided.code == 0 && decided.output.contains("payable"), "\(decided.errors)")
        let again = try await place.run("review", "decline", movement, "--note", "no")
        #expect(again.code == 1, "\(again.output)\(again.errors)")
        let balances = try await place.run("ledger", "balances")
        #expect(balances.output.contains("processor:stripe"), "\(balances.errors)")
        let verified = try await place.run("ledger", "verify")
        #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
        for (role, child) in children {
            let files = try Self.writtenFiles(child)
            #expect(files == [], "\(role) writes files")
        }
        for (role, child) in children.reversed() { await Self.stop(child, role) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.folder.path) == [])
    }

    @Test("another prefix on the same database is refused at every door, with nothing made")
    func anotherPrefix() async throws {
        let (place, beside) = (try await Place(), try await Place())
        #expect(try await place.run("cloud", "prepare").code == 0)
        let prefix = beside.environment["TILLBOX_KAFKA_TOPIC_PREFIX"] ?? ""
        let other = ["TILLBOX_KAFKA_TOPIC_PREFIX": prefix]
        let own = place.environment["TILLBOX_KAFKA_TOPIC_PREFIX"] ?? "none"
        let refused = try await place.run(["cloud", "prepare"], other)
        #expect(refused.code == 3 && !refused.output.contains("created"), "\(refused.output)")
        let misnamed = try await place.run(
            ["cloud", "prepare", "--moved-from", "nowhere/\(prefix)"], other)
        #expect(misnamed.code == 3 && misnamed.errors.contains("and not from nowhere/"))
        // Its topics are made with a database of their own.
        let prepared = try await beside.run("cloud", "prepare")
        #expect(prepared.code == 0 && prepared.output.contains("created the topic \(prefix)"))
        let doors = [
            ["cloud", "prepare"], ["run", "--role", "ledger"], ["run", "--role", "console"],
            ["review", "approve", "ch_1", "--note", "good"], ["dead-letter", "redrive"],
        ]
        for words in doors {
            let answer = try await place.run(
                words, other.merging(["TILLBOX_ADMIN_PORT": "\(try freePort())"]) { $1 })
            #expect(answer.code == 3, "\(words): \(answer.errors.suffix(800))")
            for part in [own, prefix, "cloud prepare --moved-from"] {
                #expect(answer.errors.contains(part), "\(words): \(answer.errors.suffix(800))")
            }
        }
    }
}
