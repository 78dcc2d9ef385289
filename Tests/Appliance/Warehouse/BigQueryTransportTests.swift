import Bridges
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import Vocabulary
@testable import Warehouse

/// The same stub behind a port: what goes over the wire, and how.
@Suite("BigQuery over HTTP", .timeLimit(.minutes(1)))
struct BigQueryTransportTests {
    /// Hands requests on to the stub as they came.
    private struct StubResponder: HTTPResponder {
        typealias Context = BasicRequestContext

        let stub: BigQueryStub
        let port: PortHolder

        func respond(to request: Request, context: Context) async throws -> Response {
            let body = try await request.body.collect(upTo: 32 << 20)
            let fields = request.headers.map {
                (name: $0.name.rawName, value: $0.value)
            }
            let token = request.headers[.authorization].map {
                Secret(String($0.dropFirst("Bearer ".count)))
            }
            let answer = try await stub.send(
                BigQueryRequest(
                    HTTPMethod(rawValue: request.method.rawValue),
                    "http://127.0.0.1:\(port.value)\(request.uri.string)", headers: fields,
                    body: Array(buffer: body)), token: token)
            var headers = HTTPFields()
            if let location = answer.location { headers[.location] = location }
            if let range = answer.range { headers[.range] = range }
            return Response(
                status: .init(code: answer.status), headers: headers,
                body: .init(byteBuffer: ByteBuffer(bytes: answer.body)))
        }
    }

    private static func serving(
        _ stub: BigQueryStub, _ body: @escaping @Sendable (_ base: String) async throws -> Void
    ) async throws {
        let ports = AsyncStream<Int>.makeStream()
        let holder = PortHolder()
        let application = Application(
            responder: StubResponder(stub: stub, port: holder),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { ports.continuation.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            for await port in ports.stream {
                holder.set(port)
                try await body("http://127.0.0.1:\(port)")
                break
            }
            group.cancelAll()
        }
    }

    @Test("a load goes over the wire, with its token, and in pieces that arrive in part")
    func load() async throws {
        let stub = BigQueryStub()
        stub.change { state in
            state.tokens = ["first"]
            state.pieceBytesKept = 70
        }
        try await Self.serving(stub) { base in
            let files = try WarehouseFixture()
            try files.write("2026-11-26", [100, 200, Int64.max])
            let client = BigQueryClient(
                BigQueryPlace(project: "p-roject", dataset: "books", base: base),
                tokens: BigQueryPatienceTests.Tokens(), now: { 1_795_000_000 })
            let report = try await BigQueryLoad(client, schemaVersion: 1).run(
                BigQueryLoad.Request(tables: [BigQueryStub.table]), from: files.warehouse)
            #expect(report.loaded.map(\.rows) == [3])
            #expect(report.faults == [])
        }
        let amounts = stub.change { $0.tables["sales"]?.compactMap(\.amount).sorted() }
        #expect(amounts == [100, 200, Int64.max])
        #expect(stub.requests(with: "PUT").count >= 3)
    }

    @Test("a redirection is followed nowhere, and nobody at the port is said in few words")
    func elsewhere() async throws {
        let stub = BigQueryStub()
        let moved = BigQueryAnswer(status: 302, location: "http://127.0.0.1:1/elsewhere")
        stub.change { state in
            state.faults = [.init(method: .GET, part: "/datasets", answer: moved)]
        }
        try await Self.serving(stub) { base in
            let client = BigQueryClient(
                BigQueryPlace(project: "p-roject", dataset: "books", base: base),
                tokens: NoBigQueryTokens())
            await #expect(throws: BigQueryError.self) { try await client.location() }
        }
        #expect(stub.requests.count == 1)
        let gone = BigQueryClient(
            BigQueryPlace(project: "p-roject", dataset: "books", base: "http://127.0.0.1:1"),
            tokens: NoBigQueryTokens(), sleep: { _ in })
        let error = await #expect(throws: BigQueryError.self) { try await gone.location() }
        #expect(error?.description.lowercased().contains("connection refused") == true)
    }
}

/// A port that is known only when the server listens.
private final class PortHolder: Sendable {
    private let port = Mutex(0)

    var value: Int { port.withLock { $0 } }

    func set(_ value: Int) { port.withLock { $0 = value } }
}
