import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Vocabulary

/// What an open console reads.
///
/// | route | answer |
/// | --- | --- |
/// | `GET /api/v1/figures` | the newest figures with those of the last hour |
/// | `GET /api/v1/events` | server-sent events, for as long as somebody reads (docs/LIVE.md) |
package struct LiveRoutes: Sendable {
    let board: LiveBoard

    package init(board: LiveBoard) { self.board = board }

    package func add(to routes: inout AdminRoutes) {
        routes.get("/api/v1/figures", needs: .viewer) { _, _ in
            guard let figures = board.encoded() else {
                throw Problem(.serviceUnavailable, "the daemon has not looked yet; retry")
            }
            return Response(
                status: .ok,
                headers: [.contentType: "application/json", .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: figures)))
        }
        routes.get("/api/v1/events", needs: .viewer) { request, _ in
            events(after: request.headers[.lastEventID])
        }
    }

    private func events(after lastID: String?) -> Response {
        let feed = board.feed
        return Response(
            status: .ok,
            headers: [.contentType: ServerSentEvent.contentType, .cacheControl: "no-store"],
            body: ResponseBody { writer in
                var (reader, hello) = feed.begin(after: lastID)
                try await writer.write(hello)
                while !Task.isCancelled {
                    let piece = feed.take(for: &reader)
                    if piece.readableBytes > 0 {
                        try await writer.write(piece)
                    } else {
                        await feed.wait(for: reader)
                    }
                }
            })
    }
}

extension HTTPField.Name {
    /// The id of the last event that a page has had (WHATWG HTML §9.2).
    static var lastEventID: Self {
        guard let name = Self("Last-Event-ID") else { preconditionFailure("Last-Event-ID") }
        return name
    }
}
