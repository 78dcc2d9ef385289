import Appliance
import HTTPTypes
import Hummingbird
package import Reconcile
import Vocabulary

/// `/api/v1/bank` on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `POST /api/v1/bank/statements` `{"file","statements":[…],"replaces":[7]}` | what came of it |
/// | `GET /api/v1/bank?all` | the bank beside `bank:{currency}` |
///
/// Statements are in the form of docs/BANK.md, whatever file they come from. A refusal is a problem
/// document (RFC 9457).
package struct BankRoutes: Sendable {
    let reconciler: Reconciler
    /// The data folder, so that a command can make sure that it speaks to the right daemon.
    let dataPath: String
    private let queue = BlockingQueue("tillbox.console.bank")

    package init(reconciler: Reconciler, dataPath: String) {
        self.reconciler = reconciler
        self.dataPath = dataPath
    }

    static let statementsPath = "/api/v1/bank/statements"
    /// JSON may take more room than the file that it comes from. Half of what the port's requests
    /// in flight may hold by default.
    static let bodyByteCountMax = 2 * BankLimits.fileBytesMax

    package func add(to routes: inout AdminRoutes) {
        routes.on(.post, Self.statementsPath, needs: .admin) {
            [self] request, _ in
            try DataFolderCheck.check(request, dataPath: dataPath)
            return try await take(request)
        }
        routes.get("/api/v1/bank", needs: .viewer) { [self] request, _ in
            try DataFolderCheck.check(request, dataPath: dataPath)
            try request.checkParameters(["all"])
            let all = request.parameter("all") != nil
            let report = try await queue.run { [reconciler] () throws(LedgerError) in
                try reconciler.bankReport()
            }
            return Response.jsonObject(.ok) { report.encode(into: &$0, all: all) }
        }
    }

    private func take(_ request: Request) async throws -> Response {
        try request.checkIsJSON()
        let body = try await request.bytes(upTo: Self.bodyByteCountMax)
        let (file, statements, replaced) = try Self.statements(of: body)
        do {
            let done = try await reconciler.importBank(
                statements, replacing: replaced, file: file)
            return Response.jsonObject(.ok) { writer in
                writer.member("statements", Int64(done.statements))
                writer.member("entries", Int64(done.entries))
                writer.member("new", Int64(done.new))
                writer.member("superseded", Int64(done.superseded))
                writer.member("settled", Int64(done.settled))
                writer.member("differences", Int64(done.differences))
                writer.member("booked", Int64(done.booked))
            }
        } catch let refusal as BankRefusal {
            throw Problem(.conflict, refusal.message)
        }
    }

    private static func statements(
        of body: [UInt8]
    ) throws(Problem) -> (file: String, statements: [BankStatement], replaced: Set<Int64>) {
        let document = JSONDocument(bytesMax: max(body.count, 1))
        guard let root = try? document.parse(body), let listed = root["statements"]?.array else {
            throw Problem(.badRequest, "the body must be {\"file\":…,\"statements\":[…]}")
        }
        return try withExtendedLifetime(document) { () throws(Problem) in
            var statements: [BankStatement] = []
            for value in listed {
                guard statements.count < BankLimits.statementsMax else {
                    throw Problem(
                        .badRequest, "at most \(BankLimits.statementsMax) statements at once")
                }
                do {
                    statements.append(try BankStatement(json: value))
                } catch {
                    throw Problem(.badRequest, "\(error)")
                }
            }
            let named = root["replaces"]?.array.map(Array.init) ?? []
            let replaced = named.compactMap(\.int64)
            guard replaced.count == named.count, named.count <= BankLimits.statementsMax else {
                throw Problem(.badRequest, "replaces must be a list of statements' numbers")
            }
            return (String((root["file"]?.string ?? "").prefix(255)), statements, Set(replaced))
        }
    }
}
