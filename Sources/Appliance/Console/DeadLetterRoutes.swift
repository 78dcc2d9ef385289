import AppendLog
package import Appliance
import Hummingbird
import Vocabulary

/// `GET /api/v1/dead-letters` and `POST /api/v1/dead-letters/redrive` on the admin port.
///
/// A redrive must say `Content-Type: application/json`. An edit is the caller's own; only the data
/// folder's token says `by`.
package struct DeadLetterRoutes: Sendable {
    let list: any LetterReading
    let redriver: any Redriving
    /// The data folder, so that a command can make sure that it speaks to the right daemon.
    let dataPath: String
    /// Whether letters are told by their names, since topics have several partitions.
    let byName: Bool
    /// Both read letters from the disk.
    private let thread = OwnThread("tillbox.console.letters")

    package init(
        list: any LetterReading, redriver: any Redriving, dataPath: String, byName: Bool = false
    ) {
        self.list = list
        self.redriver = redriver
        self.dataPath = dataPath
        self.byName = byName
    }

    package func add(to routes: inout AdminRoutes) {
        routes.get("/api/v1/dead-letters", needs: .viewer) { request, _ in
            try await withTaskExecutorPreference(thread) { try page(request) }
        }
        routes.post("/api/v1/dead-letters/redrive", needs: .admin) { request, context in
            try request.checkIsJSON()
            let body = try await request.bytes(upTo: RedriveLimits.bodyByteCountMax)
            return try await withTaskExecutorPreference(thread) {
                try await redrive(body, context)
            }
        }
    }

    private func page(_ request: Request) throws -> Response {
        let after = try request.after { word in
            byName
                ? SourcePlace(letterName: word)
                : QueryNumber.offset(word).map { SourcePlace.letter($0) }
        }
        let page = try list.page(
            after: after, limit: try request.limit(upTo: RedriveLimits.pageCountMax),
            reason: request.parameter("reason"))
        return Response.jsonObject(.ok) { writer in
            writer.key("dead_letters")
            writer.beginArray()
            for line in page.lines { line.encode(into: &writer, byName: byName) }
            writer.endArray()
            writer.letter("next", page.next, byName: byName)
            // What is not read yet is not in the list.
            if byName { writer.member("behind", list.behind) }
        }
    }

    private func redrive(_ body: [UInt8], _ context: AdminContext) async throws -> Response {
        let request = try request(in: body, context)
        let answer = try await redriver.redrive(request)
        return Response.jsonObject(.ok) { answer.encode(into: &$0, byName: byName) }
    }

    private func request(
        in body: [UInt8], _ context: AdminContext
    ) throws(Problem) -> RedriveRequest {
        var request: RedriveRequest
        let (folder, said): (String?, String?)
        do {
            (request, folder, said) = try RedriveRequest.decode(body)
        } catch {
            throw Problem(.badRequest, "the body is not a redrive request: \(error.sentence)")
        }
        if let folder, folder != dataPath {
            throw Problem(.conflict, "this daemon's data folder is \(dataPath), not \(folder)")
        }
        // Also where there is no edit: a name that is not the caller's to say is refused.
        let by = try context.name(saying: said) ?? context.caller?.name ?? ""
        request.edit?.by = by
        return request
    }
}
