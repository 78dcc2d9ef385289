import AsyncHTTPClient
import Bridges
import Foundation
import NIOCore
import NIOHTTP1
import Vocabulary

/// Where a process on Google's machines gets its service account's access token from.
///
/// The metadata server keeps a token until some minutes before its end and then gives the next one,
/// so that it may be asked by each client, and none is kept here. A client asks ahead: when four
/// fifths of the token's time are over, and every ten seconds after a failure.
///
/// Source: Google Cloud, "Authenticate workloads", and "View and query VM metadata".
struct GoogleMetadata: Sendable {
    /// Google's own variable for another place, as its emulators and tests use it.
    private static let hostVariable = "GCE_METADATA_HOST"
    private static let answerBytesMax = 64 << 10

    /// Why there is none; one sentence. Nothing of an answer is in it, which may hold a token.
    enum Failure: Error, Hashable, CustomStringConvertible {
        case unreachable(host: String, reason: String)
        case refused(status: UInt)
        case unreadable
        case ended

        var description: String {
            "no access token from Google's metadata server: \(reason)"
        }

        private var reason: String {
            switch self {
            case .unreachable(let host, let reason): "\(host) does not answer (\(reason))"
            case .refused(404): "it knows no service account here (404); give this instance one"
            case .refused(let status): "it answered \(status)"
            case .unreadable: "its answer is no token"
            case .ended: "the token that it gave has ended; check this machine's clock"
            }
        }
    }

    private let host: String
    private let patience: TimeAmount

    /// - Parameter host: nil is where Google's machines have it, or what `GCE_METADATA_HOST` says.
    init(host: String? = nil, patience: TimeAmount = .seconds(5)) {
        self.host =
            host ?? ProcessInfo.processInfo.environment[Self.hostVariable]
            ?? "metadata.google.internal"
        self.patience = patience
    }

    /// Asks for a token. Blocks, at most `patience`; called on a thread of the client's.
    ///
    /// - Parameter now: seconds since 1970.
    func token(
        at now: Int64 = Int64(Date().timeIntervalSince1970)
    ) throws(Failure) -> GoogleAccessToken {
        let response = try ask()
        guard response.status == .ok else { throw .refused(status: response.status.code) }
        guard let body = response.body else { throw .unreadable }
        let (token, seconds) = try Self.read(Array(body.readableBytesView))
        let (end, isTooFar) = now.addingReportingOverflow(seconds)
        guard seconds > 0 else { throw .ended }
        return GoogleAccessToken(token, issuedAt: now, expiresAt: isTooFar ? .max : end)
    }

    private func ask() throws(Failure) -> HTTPClient.Response {
        do {
            var request = try HTTPClient.Request(
                url: "http://\(host)/computeMetadata/v1/instance/service-accounts/default/token")
            request.headers.add(name: "Metadata-Flavor", value: "Google")
            return try HTTPClient.shared.execute(
                request: request,
                delegate: ResponseAccumulator(
                    request: request, maxBodySize: Self.answerBytesMax),
                deadline: .now() + patience
            ).wait()
        } catch is ResponseAccumulator.ResponseTooBigError {
            throw .unreadable
        } catch {
            throw .unreachable(host: host, reason: "\(error)")
        }
    }

    private static func read(_ bytes: [UInt8]) throws(Failure) -> (Secret, seconds: Int64) {
        // The values that are read live as long as their document.
        let document = JSONDocument()
        return try withExtendedLifetime(document) { () throws(Failure) in
            do {
                let json = try document.parse(bytes)
                return (
                    Secret(try json.requiredString("access_token")),
                    try json.requiredInt64("expires_in")
                )
            } catch {
                throw .unreadable
            }
        }
    }
}
