import AppendLog
import Appliance
import ArgumentParser
import Console
import Daemon
import Terminal
import Vocabulary

extension LogCommand {
    /// `log send TOPIC OFFSET`
    struct Send: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send webhooks of the log again, byte for byte and freshly signed.",
            discussion: """
                Records go out one after the other, each when the one before it is answered. Exit \
                codes: 0 every answer was a 2xx, 1 one was not, 2 wrong usage, 3 the address \
                could not be reached.
                """)
        @OptionGroup var options: LogCommand.Options
        @Argument(help: "webhook.received, the topic that holds what was signed.")
        var topic: String
        @Argument(help: "The record's offset, as log cat shows it.") var offset: Int64
        @Option(help: "Where to: an https address, or http on this machine.") var to: String
        @Option(help: "A private file with the signing secrets of the receiver (whsec_…).")
        var secretFile: String
        @Option(help: "Seconds that an answer may take, 1 to 600.") var timeout = 10
        @Option(help: "How many records to send, from that offset on.") var count = 1

        func validate() throws {
            guard (1...600).contains(timeout) else {
                throw ValidationError("--timeout is from 1 to 600")
            }
            guard count > 0 else { throw ValidationError("--count must be above 0") }
            guard offset >= 0 else { throw ValidationError("the offset must not be negative") }
            do {
                _ = try WebhookAddress(to)
            } catch {
                throw ValidationError("--to is \(error)")
            }
        }

        mutating func run() async throws {
            let address = try WebhookAddress(to)
            let secrets: [String]
            do {
                secrets = try SettingsLoader.signingSecrets(inFile: secretFile)
            } catch {
                throw CommandFailure.cannotRun(error)
            }
            let topic = try Cat.find(topic, in: try await options.open())
            guard topic.name.rawValue == TopicID.webhookReceived.rawValue else {
                throw CommandFailure.cannotRun(
                    "\(topic.name.rawValue) holds nothing that was ever signed; send a record of "
                        + TopicID.webhookReceived.rawValue)
            }
            let first = Offset(offset)
            guard first >= topic.start, first < topic.end else {
                throw CommandFailure.cannotRun(
                    "offset \(offset) is outside \(topic.start.rawValue)..<"
                        + "\(topic.end.rawValue); choose one within")
            }
            if address.isOpen {
                writeError(
                    "tillbox: warning: \(address.host) is reached without TLS; whoever is on the "
                        + "way reads what is sent")
            }
            let sender = WebhookSender(address: address, secrets: secrets, seconds: timeout)
            try await send(topic, from: first, sender)
        }

        private func send(
            _ topic: ReadOnlyTopic, from first: Offset, _ sender: WebhookSender
        ) async throws {
            var rows: [[String: Table.Cell]] = []
            var refused = 0
            var failure: CommandFailure?
            var next = first
            while failure == nil, rows.count < count, next < topic.end {
                let records = try Self.read(topic, next)
                guard let last = records.last else { break }
                for stored in records.prefix(count - rows.count) where failure == nil {
                    do throws(WebhookSender.Silence) {
                        let answer = try await sender.send(stored.record.value ?? [])
                        if !answer.isGood { refused += 1 }
                        rows.append(SentRecord(stored: stored, answer: answer).row)
                    } catch {
                        failure = .cannotRun(
                            "no answer to offset \(stored.offset) \(error); whether it was taken "
                                + "is not known")
                    }
                }
                next = last.offset.advanced(by: 1)
            }
            // Of what had no answer the sentence alone tells.
            if let failure, rows.isEmpty, !options.json { throw failure }
            try Table(columns: ["offset", "event", "bytes", "status", "milliseconds"], rows: rows)
                .print(asJSON: options.json, named: "sent")
            if let failure { throw failure }
            guard refused == 0 else {
                throw CommandFailure.foundSomething(
                    "\(refused) of \(rows.count) \(Counted.noun(refused, "was", "were")) answered "
                        + "with something else than a 2xx; look at the receiver's log")
            }
        }

        private static func read(
            _ topic: ReadOnlyTopic, _ next: Offset
        ) throws(CommandFailure) -> [StoredRecord] {
            do throws(LogError) {
                return try topic.read(from: next)
            } catch {
                throw .cannotRun(error.description)
            }
        }
    }
}

/// What became of one record that was sent.
private struct SentRecord {
    var stored: StoredRecord
    var answer: WebhookSender.Answer

    var row: [String: Table.Cell] {
        let event = stored.record.key.map { String(decoding: $0, as: UTF8.self) } ?? ""
        return [
            "offset": .number(stored.offset.rawValue), "event": .text(event),
            "bytes": .number(Int64(stored.record.value?.count ?? 0)),
            "status": .number(Int64(answer.status)), "milliseconds": .number(answer.milliseconds),
        ]
    }
}
