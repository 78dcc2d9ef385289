import Bridges
import Daemon
import Foundation
import Synchronization
import Traffic
import Vocabulary

/// Why the server that is to be measured does not answer.
enum BenchError: Error, CustomStringConvertible {
    case serverStopped(BenchServer.Kind)
    case answersDiffer(BenchServer.Kind, [String: Int])
    case paymentsDiffer(expected: Int, booked: Int)
    /// The server gave another answer than 200.
    case unexpectedAnswer(BenchServer.Kind, status: Int, String)
    case reconciliationDiffers(String)
    case replayDiffers(Int)
    /// What a run is to be compared with is no program that measures itself.
    case notTillbox(String)
    case otherStopped(String, String, status: Int32)

    var description: String {
        switch self {
        case .serverStopped(let kind):
            "the \(kind.rawValue) server of the benchmark stopped; its reason stands above"
        case .answersDiffer(let kind, let differences):
            "the \(kind.rawValue) server did not answer as expected, so its speed means nothing: "
                + differences.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
                .joined(separator: ", ")
        case .paymentsDiffer(let expected, let booked):
            "\(expected) payments were sent, but \(booked) booked, so the speed means nothing"
        case .unexpectedAnswer(let kind, let status, let text):
            "the \(kind.rawValue) server answered \(status), so its speed means nothing: \(text)"
        case .reconciliationDiffers(let what):
            "the reconciliation did not come out as expected, so its speed means nothing: \(what)"
        case .replayDiffers(let count):
            "the replay differs in \(count) places, so its speed means nothing"
        case .notTillbox(let program):
            access(program, X_OK) == 0
                ? "\(program) is no tillbox whose bench knows --json, so there is nothing to compare "
                    + "with"
                : "there is no program \(program) that may be run; name a tillbox with --against"
        case .otherStopped(let program, let part, let status):
            "\(program) bench \(part) ended with \(status); its reason stands above"
        }
    }
}

/// A ``BenchServer`` in a child process, as the benchmark sees it.
///
/// It is used from one task; the child ends with its standard input, so it cannot outlive this
/// process.
final class BenchChild {
    let kind: BenchServer.Kind
    private let process = Process()
    private let input = Pipe()
    private let lines: AsyncStream<String>
    private let secret = "whsec_" + String(hex: randomBytes(count: 24))
    private var ports: [String: Int] = [:]

    /// Starts it and waits for its ports.
    ///
    /// - Parameters:
    ///   - folder: of its own; empty unless it is to find a ledger there.
    ///   - stripeBase: where the whole daemon finds Stripe.
    init(
        _ kind: BenchServer.Kind, folder: String, stripeBase: String? = nil
    ) async throws {
        self.kind = kind
        let output = Pipe()
        lines = Self.lines(of: output.fileHandleForReading)
        process.executableURL = URL(filePath: Self.executable)
        process.arguments = ["bench", "--serve", kind.rawValue, "--folder", folder]
        process.environment = ProcessInfo.processInfo.environment
            .merging([BenchServer.secretVariable: secret]) { $1 }
            .merging(stripeBase.map { [BenchServer.stripeVariable: $0] } ?? [:]) { $1 }
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        for _ in kind.roles {
            let greeting = try await answer(BenchServer.Greeting.self)
            ports[greeting.role] = greeting.port
        }
    }

    /// The port that is measured, or of another role.
    func port(_ role: String? = nil) -> Int {
        guard let port = ports[role ?? kind.roles[0]] else {
            preconditionFailure("a \(kind.rawValue) server has no port \(role ?? "")")
        }
        return port
    }

    /// Sends `plan` and waits until every delivery is answered.
    ///
    /// - Parameters:
    ///   - rate: deliveries a second; zero for as many as are answered.
    ///   - connections: the most that are in flight at once.
    func deliver(_ plan: DeliveryPlan, rate: Double, connections: Int) async throws -> LoadResult {
        var settings = LoadClient.Settings(
            target: try LoadTarget("http://127.0.0.1:\(port())/webhooks/stripe"), secret: secret)
        settings.rate = rate
        settings.connections = connections
        let result = try await LoadClient(settings: settings).run(plan)
        guard result.tally.differences.isEmpty else {
            throw BenchError.answersDiffer(kind, result.tally.differences)
        }
        return result
    }

    func read() async throws -> BenchServer.Reading { try await ask("read") }

    /// Waits until everything that was sent has reached the ledger.
    func settle() async throws -> BenchServer.Reading { try await ask("settle") }

    /// Stops it and waits for its end.
    func stop() async {
        try? input.fileHandleForWriting.close()
        // Its output ends when it does.
        for await _ in lines {}
        process.waitUntilExit()
    }

    private func ask(_ command: String) async throws -> BenchServer.Reading {
        try input.fileHandleForWriting.write(contentsOf: Data("\(command)\n".utf8))
        return try await answer(BenchServer.Reading.self)
    }

    private func answer<Answer: Decodable>(_ type: Answer.Type) async throws -> Answer {
        for await line in lines {
            return try JSONDecoder().decode(type, from: Data(line.utf8))
        }
        throw BenchError.serverStopped(kind)
    }

    /// This program's own file, also where it was found through PATH.
    static var executable: String {
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return own ?? CommandLine.arguments[0]
    }

    private static func lines(of handle: FileHandle) -> AsyncStream<String> {
        let rest = BenchLineRest()
        return AsyncStream { continuation in
            handle.readabilityHandler = { handle in
                let data = handle.availableData
                guard !data.isEmpty else {
                    handle.readabilityHandler = nil
                    return continuation.finish()
                }
                for line in rest.lines(adding: data) { continuation.yield(line) }
            }
        }
    }
}

/// Puts lines together from the pieces that a pipe gives.
private final class BenchLineRest: Sendable {
    private let rest = Mutex<[UInt8]>([])

    func lines(adding data: Data) -> [String] {
        rest.withLock { rest in
            rest += data
            var parts = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            rest = Array(parts.removeLast())
            return parts.map { String(decoding: $0, as: UTF8.self) }
        }
    }
}
