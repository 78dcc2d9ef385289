import AppendLog
import Appliance
import ArgumentParser
import AsyncHTTPClient
import Daemon
import Foundation
import NIOCore
import NIOHTTP1
import Reconcile
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
            _ = try WebhookAddress(to)
        }

        mutating func run() async throws {
            let address = try WebhookAddress(to)
            let secrets: [String]
            do {
                secrets = try SettingsLoader.signingSecrets(inFile: secretFile)
            } catch {
                throw CommandFailure.cannotRun("\(error)")
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
            let sender = RecordSender(address: address, secrets: secrets, seconds: timeout)
            try await send(topic, from: first, sender)
        }

        private func send(
            _ topic: ReadOnlyTopic, from first: Offset, _ sender: RecordSender
        ) async throws {
            var rows: [[String: Table.Cell]] = []
            var refused = 0
            var failure: CommandFailure?
            var next = first
            while failure == nil, rows.count < count, next < topic.end {
                let records = try Self.read(topic, next)
                guard let last = records.last else { break }
                for stored in records.prefix(count - rows.count) where failure == nil {
                    switch await sender.send(stored) {
                    case .success(let answer):
                        if !answer.isGood { refused += 1 }
                        rows.append(answer.row)
                    case .failure(let error): failure = error
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
                    "\(refused) of \(rows.count) \(refused == 1 ? "was" : "were") answered with "
                        + "something else than a 2xx; look at the receiver's log")
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

/// Where webhooks are sent to.
struct WebhookAddress: Hashable {
    let url: String
    let host: String
    /// Whether it leaves this machine without TLS.
    let isOpen: Bool

    /// - Throws: a sentence for what is no such address.
    init(_ text: String) throws(ValidationError) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty,
            parts.user == nil, parts.password == nil, parts.fragment == nil
        else {
            throw ValidationError(
                "--to is an address such as https://example.com/webhooks/stripe, without a user, "
                    + "a password or a fragment")
        }
        url = text
        self.host = host
        isOpen = scheme == "http" && !Self.isLoopback(host)
    }

    private static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased().trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        guard let address = try? SocketAddress(ipAddress: name, port: 0) else {
            return name == "localhost"
        }
        return switch address {
        case .v4: name.hasPrefix("127.")
        default: name == "::1"
        }
    }
}

/// Sends stored webhooks as Stripe would send them now.
struct RecordSender {
    let address: WebhookAddress
    let secrets: [String]
    /// How long an answer may take.
    let seconds: Int

    struct Answer {
        var offset: Offset
        var event: String
        var byteCount: Int
        var status: Int
        var milliseconds: Int64

        var isGood: Bool { (200..<300).contains(status) }

        var row: [String: Table.Cell] {
            [
                "offset": .number(offset.rawValue), "event": .text(event),
                "bytes": .number(Int64(byteCount)), "status": .number(Int64(status)),
                "milliseconds": .number(milliseconds),
            ]
        }
    }

    /// The part of an answer that is read.
    private static let answerByteCountMax = 64 << 10

    /// It goes nowhere else than it is told to, and says at once where nobody answers.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// - Returns: a sentence where no answer comes.
    func send(_ stored: StoredRecord) async -> Result<Answer, CommandFailure> {
        let body = stored.record.value ?? []
        var request = HTTPClientRequest(url: address.url)
        request.method = .POST
        request.headers = HTTPHeaders([
            ("Content-Type", "application/json; charset=utf-8"),
            ("User-Agent", "tillbox/\(Release.version)"), ("Accept", "*/*; q=0.5"),
            ("Stripe-Signature", signature(of: body)),
        ])
        request.body = .bytes(ByteBuffer(bytes: body))
        let began = ContinuousClock.now
        do {
            let response = try await Self.client.execute(
                request, timeout: .seconds(Int64(seconds)))
            _ = try? await response.body.collect(upTo: Self.answerByteCountMax)
            let took = (ContinuousClock.now - began).components
            return .success(
                Answer(
                    offset: stored.offset,
                    event: stored.record.key.map { String(decoding: $0, as: UTF8.self) } ?? "",
                    byteCount: body.count, status: Int(response.status.code),
                    milliseconds: took.seconds * 1000
                        + took.attoseconds / 1_000_000_000_000_000))
        } catch {
            return .failure(
                .cannotRun(
                    "no answer to offset \(stored.offset) from \(address.host) within "
                        + "\(seconds) s (\(NetworkReason.of(error))); whether it was taken is not "
                        + "known"))
        }
    }

    private func signature(of body: ArraySlice<UInt8>) -> String {
        StripeSignature.header(
            signing: body, at: Instant(seconds: Int64(Date().timeIntervalSince1970)),
            secrets: secrets)
    }
}
