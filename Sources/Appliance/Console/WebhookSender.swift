import AppendLog
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Reconcile
import Vocabulary

/// Where webhooks are sent to.
package struct WebhookAddress: Hashable, Sendable {
    package let url: String
    package let host: String
    /// Whether it leaves this machine without TLS.
    package let isOpen: Bool

    /// That a text is no such address.
    package struct Malformed: Error, CustomStringConvertible {
        package let description = "an address such as https://example.com/webhooks/stripe, without "
            + "a user, a password or a fragment"
    }

    package init(_ text: String) throws(Malformed) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty,
            parts.user == nil, parts.password == nil, parts.fragment == nil
        else { throw Malformed() }
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
package struct WebhookSender: Sendable {
    let address: WebhookAddress
    let secrets: [String]
    /// How long an answer may take.
    let seconds: Int

    package init(address: WebhookAddress, secrets: [String], seconds: Int) {
        self.address = address
        self.secrets = secrets
        self.seconds = seconds
    }

    package struct Answer: Hashable, Sendable {
        package var status: Int
        package var milliseconds: Int64

        package var isGood: Bool { (200..<300).contains(status) }
    }

    /// That no answer came; whether the webhook was taken is not known.
    package struct Silence: Error, Hashable, CustomStringConvertible {
        /// A part of a sentence: from whom, for how long, and why.
        package var description: String
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

    /// - Parameter body: the webhook's bytes as they came.
    package func send(_ body: ArraySlice<UInt8>) async throws(Silence) -> Answer {
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
            return Answer(
                status: Int(response.status.code),
                milliseconds: took.seconds * 1000
                    + took.attoseconds / 1_000_000_000_000_000)
        } catch {
            throw Silence(
                description:
                    "from \(address.host) within \(seconds) s (\(NetworkReason.of(error)))")
        }
    }

    private func signature(of body: ArraySlice<UInt8>) -> String {
        StripeSignature.header(
            signing: body, at: Instant(seconds: Int64(Date().timeIntervalSince1970)),
            secrets: secrets)
    }
}
