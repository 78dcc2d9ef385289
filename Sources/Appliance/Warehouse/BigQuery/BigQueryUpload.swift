import NIOHTTP1
import Vocabulary

/// What is sent of a file: pieces by their place.
protocol UploadedBytes {
    /// Bytes in all; above 0.
    var byteCount: Int64 { get }
    /// The bytes from `offset` on, at most `count`.
    func bytes(at offset: Int64, count: Int) throws -> [UInt8]
}

extension BigQueryClient {
    /// Bytes of a piece: a multiple of 256 KiB, as the protocol wants it.
    static let pieceByteCount = 8 << 20
    /// Uploads that are begun before one is given up.
    private static let sessionsMax = 3

    /// Begins a load job and sends the file with it, by a resumable upload: what has arrived is not
    /// sent again after a lost connection.
    ///
    /// Source: Google, "Performing a resumable upload" of the BigQuery API's "Upload" page.
    func beginLoad(
        _ job: [UInt8], _ file: some UploadedBytes
    ) async throws(BigQueryError) -> BigQueryInsertion {
        for _ in 0..<Self.sessionsMax {
            let request = BigQueryRequest(
                .POST, url("/jobs", [("uploadType", "resumable")], upload: true),
                headers: [
                    (name: "Content-Type", value: "application/json; charset=UTF-8"),
                    (name: "X-Upload-Content-Type", value: "application/octet-stream"),
                    (name: "X-Upload-Content-Length", value: String(file.byteCount)),
                ], body: job)
            let answer = try await exchange(request)
            guard (200..<300).contains(answer.status) else { return try insertion(answer) }
            guard let session = answer.location, isOurs(session) else {
                throw .malformed(what: "an upload's answer does not name where it goes on")
            }
            if let insertion = try await send(file, to: session) { return insertion }
        }
        throw .unavailable(
            status: 410, message: "the upload was forgotten", attempts: Self.sessionsMax)
    }

    /// A token and a business's money are sent nowhere else than to where the API is.
    private func isOurs(_ session: String) -> Bool {
        session.hasPrefix(place.base + "/")
            || (place.base == BigQueryPlace.googleBase
                && session.wholeMatch(of: /https:\/\/[a-z0-9.-]+\.googleapis\.com\/.*/) != nil)
    }

    /// Sends all pieces; nil where the session is gone.
    private func send(
        _ file: some UploadedBytes, to session: String
    ) async throws(BigQueryError) -> BigQueryInsertion? {
        var offset: Int64 = 0
        var (attempt, standstills) = (1, 1)
        while true {
            let answer: BigQueryAnswer
            var isAsked = false
            do throws(BigQueryError) {
                answer = try await once(try piece(of: file, at: offset, session), attempt)
                attempt = 1
            } catch {
                isAsked = true
                // Whether it arrived is not known: that is asked, and nothing sent twice.
                try await pause(&attempt, nil, else: error)
                answer = try await exchange(Self.question(file, session))
            }
            switch answer.status {
            case 308:
                let next = try Self.next(answer.range, of: file.byteCount)
                if next > offset {
                    standstills = 1
                } else if !isAsked {
                    // A piece was taken and has not arrived, which must not go on for ever.
                    try await pause(
                        &standstills, answer.retryAfter,
                        else: .unavailable(
                            status: answer.status, message: "an upload does not go on",
                            attempts: standstills))
                }
                offset = next
            case 404, 410: return nil
            default: return try insertion(answer)
            }
        }
    }

    private func piece(
        of file: some UploadedBytes, at offset: Int64, _ session: String
    ) throws(BigQueryError) -> BigQueryRequest {
        let bytes: [UInt8]
        do {
            bytes = try file.bytes(
                at: offset, count: Int(min(Int64(Self.pieceByteCount), file.byteCount - offset)))
        } catch {
            throw .malformed(what: "the file that is being sent cannot be read any more: \(error)")
        }
        let last = offset + Int64(bytes.count) - 1
        // All of it has arrived and the answer was lost: what is left is to ask.
        guard !bytes.isEmpty else { return Self.question(file, session) }
        return BigQueryRequest(
            .PUT, session,
            headers: [
                (name: "Content-Type", value: "application/octet-stream"),
                (name: "Content-Range", value: "bytes \(offset)-\(last)/\(file.byteCount)"),
            ], body: bytes)
    }

    /// Asks how far an upload has come.
    private static func question(_ file: some UploadedBytes, _ session: String) -> BigQueryRequest {
        BigQueryRequest(
            .PUT, session,
            headers: [(name: "Content-Range", value: "bytes */\(file.byteCount)")])
    }

    /// Where the next piece begins: behind `bytes=0-524287`, or at the beginning where nothing has
    /// arrived.
    private static func next(
        _ range: String?, of byteCount: Int64
    ) throws(BigQueryError) -> Int64 {
        guard let range else { return 0 }
        guard let match = range.wholeMatch(of: /(?:bytes=)?0-([0-9]+)/),
            let last = Int64(match.output.1), last < byteCount
        else { throw .malformed(what: "an upload has the bytes \(range.prefix(80))") }
        return last + 1
    }

    /// One attempt. A refused token passes as well: the next one is shown another.
    private func once(
        _ request: BigQueryRequest, _ attempt: Int
    ) async throws(BigQueryError) -> BigQueryAnswer {
        let token = try await tokens.token()
        let answer = try await send(request, token: token, attempt)
        if answer.status == 401 {
            if let token { await tokens.forget(token) }
            throw .unavailable(
                status: answer.status, message: BigQueryRefusal(in: answer.body).message,
                attempts: attempt)
        }
        if let trouble = trouble(in: answer, attempt) { throw trouble }
        return answer
    }
}
