import AppendLog
import Appliance
import HTTPTypes
import Hummingbird
import NIOCore
import Vocabulary

/// How the admin API reads a request, and refuses one that it cannot answer.
extension Request {
    func parameter(_ name: String) -> String? {
        uri.queryParameters[Substring(name)].map(String.init)
    }

    /// `limit`: how many rows the page holds at most.
    func limit(upTo most: Int, else usual: Int = 100) throws(Problem) -> Int {
        guard let text = parameter("limit") else { return usual }
        guard let limit = QueryNumber.limit(text, upTo: most) else {
            throw Problem(.badRequest, "limit must be a whole number from 1 to \(most)")
        }
        return limit
    }

    /// `after`: where the page begins, in the words of an earlier one.
    ///
    /// - Parameter read: nil for what no page ever said.
    func after<Place>(_ read: (String) -> Place?) throws(Problem) -> Place? {
        guard let text = parameter("after") else { return nil }
        guard let place = read(text) else {
            throw Problem(.badRequest, "after must be the next of an earlier page")
        }
        return place
    }

    /// A page of another site can post a form to this port, but not JSON without asking first, and
    /// that is never allowed.
    func checkIsJSON() throws(Problem) {
        guard headers[.contentType]?.hasPrefix("application/json") == true else {
            throw Problem(
                .unsupportedMediaType, "send the request as Content-Type: application/json")
        }
    }

    /// The whole body, at most so many bytes.
    func bytes(upTo most: Int) async throws(Problem) -> [UInt8] {
        do {
            return [UInt8]((try await body.collect(upTo: most)).readableBytesView)
        } catch {
            throw Problem(.contentTooLarge, "the body is longer than \(most) bytes")
        }
    }
}

extension Response {
    /// What `body` answers, or the problem it met.
    static func answering(_ body: () async throws -> Response) async -> Response {
        do {
            return try await body()
        } catch {
            return Problem(of: error).response
        }
    }
}

extension Problem {
    /// What a route met, as whoever asked is told it: 503 for what passes, 500 for what does not.
    init(of error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case is RedriveRefused: self.init(.conflict, "\(error)")
        case is StoreFailure: self.init(.serviceUnavailable, "\(error)")
        case let failure as AccountsFailure:
            self.init(.serviceUnavailable, failure.description)
        case let failure as any PassingFailure where failure.isRetryable:
            self.init(.serviceUnavailable, "\(error)")
        default: self.init(.internalServerError, "\(error)")
        }
    }
}
