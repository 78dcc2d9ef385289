import ArgumentParser
import Daemon
import Foundation
import NIOCore
import Terminal
import Traffic
import Twin

/// `tillbox simulate`: signed Stripe traffic against a webhook endpoint.
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Send signed Stripe-shaped traffic to a webhook endpoint.",
        discussion: """
            A simulated world is played on a Stripe twin, and what the twin tells is delivered; \
            --templates writes the world's events without a twin, faster. The same seed sends the \
            same events. Exit codes: 0 every answer was as expected, 1 an answer or the ledger \
            differed, 2 wrong usage, 3 the endpoint could not be reached.
            """)

    @Option(help: "The endpoint, for example http://127.0.0.1:8080/webhooks/stripe.")
    var to: String

    @Option(help: "The endpoint's signing secret; else TILLBOX_WEBHOOK_SECRET.")
    var secret: String?

    @Option(help: "Deliveries a second; 0 sends as fast as the connections answer.")
    var rate = 100.0

    @Option(help: "Deliveries in all.")
    var count = 1_000

    @Option(help: "Seed of the simulated world.")
    var seed: UInt64 = 1

    @Option(help: "Share of deliveries that repeat an earlier event, 0 to 1.")
    var duplicates = 0.0

    @Option(help: "Share of deliveries that later ones overtake, 0 to 1.")
    var reorder = 0.0

    @Option(help: "Share of payment attempts that are fraud, 0 to 0.9.")
    var fraud = 0.02

    @Option(help: "Share of deliveries whose signature is wrong, 0 to 1.")
    var badSignatures = 0.0

    @Flag(help: "Write the events from templates instead of playing the world on a twin: for load.")
    var templates = false

    @Option(
        help: """
            Only events of these types, comma-separated, such as charge.succeeded: what the \
            endpoint is subscribed to.
            """)
    var events: String?

    @Option(
        help: """
            Then wait until the ledger in this data folder, of the daemon at the endpoint, has \
            booked what the acknowledged events tell, and compare every movement.
            """)
    var prove: String?

    @Flag(
        help: """
            The same with the ledger of the profile cloud, in the Postgres that the settings name.
            """)
    var proveCloud = false

    @Option(help: "Connections, each with at most one request in flight, 1 to 1024.")
    var connections = 16

    @Option(help: "Attempts for one delivery before it is given up.")
    var attempts = 10

    @Flag(help: "Keep every delivery until it is answered for good, however often that takes.")
    var untilAcknowledged = false

    @Option(help: "Seconds without any answer after which the run gives up.")
    var patience = 60

    @Option(help: "Write the ids of acknowledged events to this file, one a line.")
    var acknowledged: String?

    @Flag(help: "Print the report as one JSON document.")
    var json = false

    func validate() throws {
        let shares = [
            ("duplicates", duplicates, 1.0), ("reorder", reorder, 1.0),
            ("fraud", fraud, TrafficWorld.Settings.fraudShareMax),
            ("bad-signatures", badSignatures, 1.0),
        ]
        for (name, share, most) in shares where !(0...most).contains(share) {
            throw ValidationError("--\(name) is a share from 0 to \(most), not \(share).")
        }
        if duplicates + badSignatures >= 1 {
            throw ValidationError("--duplicates and --bad-signatures together stay below 1.")
        }
        if !(1...LoadClient.Settings.connectionsMax).contains(connections) {
            throw ValidationError(
                "--connections is from 1 to \(LoadClient.Settings.connectionsMax).")
        }
        if count < 1 || attempts < 1 || patience < 1 || !rate.isFinite || rate < 0 {
            throw ValidationError(
                "--count, --attempts and --patience are at least 1, --rate at least 0.")
        }
        if prove != nil && proveCloud {
            throw ValidationError("--prove and --prove-cloud name two ledgers; give one.")
        }
        _ = try enabledEvents()
        _ = try target()
        _ = try signingSecret()
    }

    /// The types that are asked for; nil for all.
    private func enabledEvents() throws -> Set<String>? {
        guard let events else { return nil }
        let types = events.split(separator: ",").map(String.init)
        let known = StripeEventType.allCases.map(\.rawValue)
        guard !types.isEmpty, types.allSatisfy(known.contains) else {
            throw ValidationError("--events takes some of \(known.joined(separator: ", ")).")
        }
        return Set(types)
    }

    func run() async throws {
        var settings = LoadClient.Settings(target: try target(), secret: try signingSecret())
        settings.rate = rate
        settings.connections = connections
        settings.retry = untilAcknowledged ? .untilAcknowledged : .bounded(attempts: attempts)
        settings.patience = .seconds(Int64(patience))
        let plan = try plan()
        let prover = try await prover()
        let notes = prover.map { _ in TruthNotes() }
        let result: LoadResult
        do {
            result = try await deliver(plan, settings, notes)
        } catch {
            throw CommandFailure.cannotRun(error.sentence)
        }
        var report = SimulateReport(result, seed: seed)
        if let prover, let notes {
            try await orCannotRun { report.ledger = try await prover.prove(notes.truth) }
        }
        try Output.standard.line(json ? report.json() : report.table())
        if !report.isAsExpected { throw ExitCode(CommandFailure.foundSomething) }
    }

    private func prover() async throws -> LedgerProver? {
        if let prove { return .folder(prove) }
        guard proveCloud else { return nil }
        let settings = try await DataOptions.parse([]).settings(
            needsSecrets: false, profile: .cloud)
        return .cloud(settings)
    }

    private func plan() throws -> DeliveryPlan {
        let world = TrafficWorld.Settings(seed: seed, fraudShare: fraud)
        let settings = DeliveryPlan.Settings(
            world: world, count: count, duplicates: duplicates, reorder: reorder,
            badSignatures: badSignatures, enabledEvents: try enabledEvents())
        if templates { return DeliveryPlan(settings) }
        return DeliveryPlan(settings, of: try PlayedScenario(world))
    }

    /// - Parameter notes: takes what the acknowledged events tell.
    private func deliver(
        _ plan: DeliveryPlan, _ settings: LoadClient.Settings, _ notes: TruthNotes?
    ) async throws(LoadError) -> LoadResult {
        let file: AcknowledgementFile? =
            if let acknowledged { try AcknowledgementFile(path: acknowledged) } else { nil }
        let progress = isatty(STDERR_FILENO) == 1 ? ProgressLine(total: count) : nil
        defer { progress?.clear() }
        let client = LoadClient(settings: settings)
        let result = try await client.run(
            plan,
            acknowledged: { (event: StreamedEvent) in
                file?.append(event.id)
                notes?.note(event)
            },
            progress: { (now: LoadProgress) in progress?.show(now) })
        if let file, !file.isComplete, let acknowledged {
            throw .cannotWrite(path: acknowledged)
        }
        return result
    }

    private func target() throws -> LoadTarget {
        do {
            return try LoadTarget(to)
        } catch .notHTTP {
            throw ValidationError(
                "--to is an http:// address such as http://127.0.0.1:8080/webhooks/stripe.")
        } catch .noHost {
            throw ValidationError("--to names no host.")
        }
    }

    private func signingSecret() throws -> String {
        let environment = ProcessInfo.processInfo.environment["TILLBOX_WEBHOOK_SECRET"]
        // While secrets rotate there are several; any active one signs.
        let given = secret ?? environment?.split(separator: ",").first.map(String.init)
        guard let given, !given.isEmpty else {
            throw ValidationError(
                "Name the endpoint's secret with --secret or TILLBOX_WEBHOOK_SECRET.")
        }
        return given
    }
}

/// One line on the terminal that is written over while the run goes on.
private struct ProgressLine: Sendable {
    let total: Int

    func show(_ progress: LoadProgress) {
        let seconds = Double(progress.elapsed.nanoseconds) / 1e9
        let perSecond = seconds > 0 ? Double(progress.answered) / seconds : 0
        let words =
            progress.open == 0
            ? "waiting for the endpoint"
            : "p99 \(SimulateReport.decimal(Double(progress.latencyAt99) / 1e6)) ms"
        write(
            "\r\u{1B}[K\(Figures.grouped(progress.answered)) of "
                + "\(Figures.grouped(total)) · "
                + "\(Figures.grouped(Int(perSecond)))/s · \(words)")
    }

    func clear() { write("\r\u{1B}[K") }

    private func write(_ text: String) { ErrorOutput.write(text) }
}

extension LoadError {
    /// What happened and what to do about it.
    var sentence: String {
        switch self {
        case .cannotConnect(let host, let port):
            "Nobody listens at \(host) port \(port): start the daemon with `tillbox run`, "
                + "or name its address with --to."
        case .silent(let seconds):
            "No answer came for \(seconds) seconds: look at the daemon's log, "
                + "or wait longer with --patience."
        case .cannotWrite(let path):
            "The file \(path) cannot be written: check its folder and the free space."
        }
    }
}
