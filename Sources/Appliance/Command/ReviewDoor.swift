import AppendLog
import Appliance
import Bridges
import Daemon
import Foundation
import NIOHTTP1
import Terminal
import Vocabulary

/// The way to whoever may write the log: this process, or the daemon that holds the folder.
struct ReviewDoor {
    let settings: Settings
    /// Whether it was said who decides; what a daemon need not be told is left out otherwise.
    let namesSomebody: Bool

    /// How long another command, which has the folder for a moment, is waited for.
    private static let lockPatience = Duration.seconds(10)

    func decide(_ id: String, _ request: ReviewRequest) async throws -> ReviewAnswer {
        guard settings.profile != .cloud else { return try await decideInCloud(id, request) }
        let giveUpAt = ContinuousClock.now + Self.lockPatience
        while true {
            if let answer = try await offline(id, request) { return answer }
            switch await ask(id, request) {
            case .success(let answer): return answer
            case .failure(let failure):
                // The folder may be held by who answers nothing: a command, or a start.
                guard failure.isNoDaemon, ContinuousClock.now < giveUpAt else { throw failure }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Writes the decision where nobody else has the folder.
    ///
    /// - Returns: nil where somebody has it.
    private func offline(_ id: String, _ request: ReviewRequest) async throws -> ReviewAnswer? {
        let view = FolderView(path: settings.dataPath)
        _ = try view.logPath()
        try FolderOwner.become(of: settings.dataPath)
        let ledger = try view.ledger()
        do {
            let answer = try await EmbeddedPlane.offline(settings) { plane in
                _ = try OfflineAudit.name(request.by)
                return try await OfflineDecision(
                    decisions: plane.decisions, topic: plane.reader(.paymentReview),
                    ledger: ledger, clock: plane.clock
                ).decide(id, request)
            }
            OfflineAudit.note(
                settings, "review decision",
                "\(id) \(String(decoding: request.encoded(), as: UTF8.self))")
            return answer
        } catch LogError.locked {
            return nil
        } catch {
            throw CommandFailure.ofFolder(error)
        }
    }

    /// The decision is a record at Kafka; whichever instance of the ledger reads it books it.
    private func decideInCloud(
        _ id: String, _ request: ReviewRequest
    ) async throws -> ReviewAnswer {
        do {
            try settings.requireKafka(for: "a decision in the profile cloud")
            try settings.requirePostgres(for: "a decision in the profile cloud")
            _ = try OfflineAudit.name(request.by)
            let plane = try settings.quietPlane()
            try plane.requireOwnLedger()
            let producer = try plane.producer()
            defer { producer.close(within: .seconds(1)) }
            let desk = ReviewDesk(
                decisions: plane.decisions(producer), ledger: try plane.ledger(),
                clock: plane.clock)
            return try await desk.decide(id, request)
        } catch let refusal as ReviewRefusal {
            throw refusal
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.cannotRun(error)
        }
    }

    /// Has the daemon decide.
    private func ask(
        _ id: String, _ request: ReviewRequest
    ) async -> Result<ReviewAnswer, CommandFailure> {
        do throws(CommandFailure) {
            let connection = AdminConnection(
                settings,
                patience: AdminConnection.Patience(
                    seconds: ReviewDesk.answerSecondsMax,
                    unanswered: "the decision may have been taken; look with `tillbox review show "
                        + "\(ShellWord.quoted(id)) --data \(ShellWord.quoted(settings.dataPath))`"))
            let answer = try await connection.send(
                .POST, "/api/v1/reviews/\(Self.escaped(id))/decision",
                body: request.encoded(saysWho: connection.saysWho || namesSomebody),
                refusal: { code, detail in
                    ReviewRefusal.isAnswer(code)
                        ? .foundSomething(ReviewRefusal.sentence(detail, code: code, id))
                        : .cannotRun(detail)
                }
            ) { try ReviewAnswer(json: $0) }
            return .success(answer)
        } catch {
            return .failure(error)
        }
    }

    private static func escaped(_ id: String) -> String {
        id.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? id
    }
}

extension ReviewRefusal {
    /// The refusal, with the command that shows more of it.
    ///
    /// - Parameter id: what was asked for.
    func sentence(of id: String) -> String {
        Self.sentence(message, code: code, id)
    }

    /// - Parameter message: as this refusal, or the daemon with the same code, says it.
    static func sentence(_ message: String, code: String?, _ id: String) -> String {
        switch code {
        case "review_unknown": "\(message); see `tillbox review list`"
        case "review_closed", "review_being_decided":
            "\(message); see `tillbox review show \(ShellWord.quoted(id))`"
        default: message
        }
    }
}
