import Bridges
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Synchronization
import Testing

@testable import Daemon
@testable import Vocabulary

/// Alerts as they are posted to a port.
@Suite("Alerts over HTTP", .timeLimit(.minutes(1)))
struct AlertWebhookTests {
    /// Leads everybody who comes to `/hook` to a page that answers.
    private struct Door: HTTPResponder {
        typealias Context = BasicRequestContext

        let status: HTTPResponse.Status
        let paths: PathList

        func respond(to request: Request, context: Context) async throws -> Response {
            paths.add("\(request.method) \(request.uri.path)")
            guard request.uri.path == "/hook" else { return Response(status: .ok) }
            return Response(status: status, headers: [.location: "/login"])
        }
    }

    private final class PathList: Sendable {
        private let paths = Mutex<[String]>([])

        var all: [String] { paths.withLock { $0 } }

        func add(_ path: String) { paths.withLock { $0.append(path) } }
    }

    @Test("who is led elsewhere has told nobody, and goes nowhere", arguments: [301, 302, 307, 200])
    func elsewhere(code: Int) async throws {
        let (paths, ports) = (PathList(), AsyncStream<Int>.makeStream())
        let application = Application(
            responder: Door(status: .init(code: code), paths: paths),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { ports.continuation.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let serving = Task { try await application.run() }
        defer { serving.cancel() }
        var listening = ports.stream.makeAsyncIterator()
        let port = try #require(await listening.next())
        let webhook = AlertWebhook(url: Secret("http://127.0.0.1:\(port)/hook"))
        let now = Instant(seconds: 1_800_000_000)
        let alert = Alert(state: .raised, sentence: "the disk is full", since: now)
        var said: String?
        do {
            try await webhook.tell([alert], at: now)
        } catch {
            said = "\(error)"
        }
        #expect(said == (code == 200 ? nil : "alerts.url answers \(code)"))
        #expect(paths.all == ["POST /hook"])
    }
}
