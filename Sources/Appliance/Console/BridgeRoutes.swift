import Foundation
import HTTPTypes
import Hummingbird
package import Logging
package import Relay
import Vocabulary

/// `/api/v1/bridges` on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `GET /api/v1/bridges` | every bridge: state, lag, rate, last error, and its place by topic |
/// | `POST /api/v1/bridges/{name}/pause` | stops it, over restarts too |
/// | `POST /api/v1/bridges/{name}/resume` | goes on, paused or stopped |
/// | `POST /api/v1/bridges/{name}/forget` | forgets one that is not configured |
///
/// The posts take `{}` and count under the caller's own name. Only the data folder's token says
/// `{"by"}`, which it must: it names who sits at the command line.
///
/// `former` of the first are bridges that are not configured and that the log keeps records for.
/// The posts answer with the bridge as it then stands, a forgotten one with its name. A request
/// that names another data folder in `tillbox-data-folder` is refused with 409.
package struct BridgeRoutes: Sendable {
    let board: BridgeBoard
    /// The data folder, so that a command can make sure that it speaks to the right daemon.
    let dataPath: String

    private static let bodyByteCountMax = 4_096
    /// Characters of a bridge's name that are looked at.
    private static let nameLengthMax = 100
    private let logger: Logger
    /// A pause is written to the disk.
    private let queue = BlockingQueue("tillbox.console.bridges")

    package init(board: BridgeBoard, dataPath: String, logger: Logger) {
        self.board = board
        self.dataPath = dataPath
        self.logger = logger
    }

    package func add(to routes: inout AdminRoutes) {
        routes.get("/api/v1/bridges", needs: .viewer) { _, _ in
            Response.jsonObject(.ok) {
                Self.write(board.reports(), into: &$0)
                Self.write(former: board.former?.current ?? [], into: &$0)
            }
        }
        routes.post("/api/v1/bridges/:name/forget", needs: .admin) { request, context in
            try await forget(request, context)
        }
        routes.post("/api/v1/bridges/:name/pause", needs: .admin) { request, context in
            try await change(request, context) { bridge, by throws(RelayFailure) in
                try bridge.pause(by: by)
            }
        }
        routes.post("/api/v1/bridges/:name/resume", needs: .admin) { request, context in
            try await change(request, context) { bridge, by throws(RelayFailure) in
                try bridge.resume(by: by)
            }
        }
    }

    static func write(_ reports: [BridgeReport], into writer: inout JSONWriter) {
        writer.key("bridges")
        writer.beginArray()
        for report in reports { report.encode(into: &writer) }
        writer.endArray()
    }

    private static func write(
        former: [(name: BridgeName, lag: Int64)], into writer: inout JSONWriter
    ) {
        writer.key("former")
        writer.beginArray()
        for bridge in former {
            writer.beginObject()
            writer.member("name", bridge.name.rawValue)
            writer.member("lag", bridge.lag)
            writer.endObject()
        }
        writer.endArray()
    }

    private func forget(
        _ request: Request, _ context: AdminContext
    ) async throws -> Response {
        try DataFolderCheck.check(request, dataPath: dataPath)
        try request.checkIsJSON()
        let text = String((context.parameters.get("name") ?? "").prefix(Self.nameLengthMax))
        let by = try Self.asker(
            in: try await request.bytes(upTo: Self.bodyByteCountMax), context)
        guard let name = BridgeName(rawValue: text), let former = board.former else {
            throw Problem(.notFound, "there is no bridge \(text)", code: "unknown_bridge")
        }
        do throws(FormerBridgeRefusal) {
            try await former.forget(name)
        } catch {
            switch error {
            case .isConfigured:
                throw Problem(.conflict, error.description, code: "bridge_configured")
            case .isUnknown: throw Problem(.notFound, error.description, code: "unknown_bridge")
            case .failed: throw Problem(.internalServerError, error.description)
            }
        }
        logger.info("bridge forgotten", metadata: ["bridge": "\(name.rawValue)", "by": "\(by)"])
        return Response.jsonObject(.ok) {
            $0.member("name", name.rawValue)
            $0.member("forgotten", true)
        }
    }

    private func change(
        _ request: Request, _ context: AdminContext,
        _ body: @escaping @Sendable (Bridge, String) throws(RelayFailure) -> Void
    ) async throws -> Response {
        try DataFolderCheck.check(request, dataPath: dataPath)
        try request.checkIsJSON()
        let name = String((context.parameters.get("name") ?? "").prefix(Self.nameLengthMax))
        guard let bridge = board[name] else {
            let known = board.bridges.map(\.name.rawValue).joined(separator: ", ")
            throw Problem(
                .notFound,
                "no bridge \(name) is configured"
                    + (known.isEmpty ? "; name it in bridges" : "; there are: \(known)"),
                code: "unknown_bridge")
        }
        let by = try Self.asker(
            in: try await request.bytes(upTo: Self.bodyByteCountMax), context)
        do {
            try await queue.run { () throws(RelayFailure) in try body(bridge, by) }
        } catch RelayFailure.permanent(let sentence), RelayFailure.passing(let sentence) {
            throw Problem(.internalServerError, sentence)
        }
        return Response.json(.ok) { bridge.report().encode(into: &$0) }
    }

    private static func asker(
        in body: [UInt8], _ context: AdminContext
    ) throws(Problem) -> String {
        let unnamed = Problem(
            .badRequest,
            "by must say who asks, once, in 1 to \(PersonName.byteCountMax) bytes")
        let document = JSONDocument(bytesMax: max(body.count, 1))
        let said: String?
        let strays: Bool
        do throws(RecordCodecError) {
            let root = try document.request(body)
            guard let members = root.object else { throw .notAnObject }
            strays = members.contains { $0.key.string != "by" }
            said = try root.optionalString("by")
        } catch .notAnObject {
            throw Problem(.badRequest, "the body is no JSON object of this route")
        } catch {
            throw unnamed
        }
        guard !strays else { throw Problem(.badRequest, "the body has no member but by") }
        guard let by = try context.name(saying: said) else { throw unnamed }
        return by
    }
}
