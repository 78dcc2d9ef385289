import AppendLog
import Foundation
import HTTPTypes
import Hummingbird

/// `GET /api/v1/dead-letters` and `POST /api/v1/dead-letters/redrive` on the admin port.
///
/// A redrive must say `Content-Type: application/json`: a page of another site cannot send that to
/// this port without asking first, and it is never allowed.
struct DeadLetterRoutes: Sendable {
    let list: LetterList
    let redriver: Redriver
    /// The data folder, so that a command can make sure that it speaks to the right daemon.
    let dataPath: String

    func add(to router: Router<BasicRequestContext>) {
        router.get("/api/v1/dead-letters") { request, _ in
            try Self.answering { try page(of: request.uri.queryParameters) }
        }
        router.post("/api/v1/dead-letters/redrive") { request, _ in
            guard request.headers[.contentType]?.hasPrefix("application/json") == true else {
                return Problem(
                    .unsupportedMediaType, "send the request as Content-Type: application/json").response
            }
            let body: ByteBuffer
            do {
                body = try await request.body.collect(upTo: RedriveLimits.bodyByteCountMax)
            } catch {
                return Problem(.contentTooLarge, "send at most 64 KiB; name fewer offsets").response
            }
            return try await redrive([UInt8](body.readableBytesView))
        }
    }

    // MARK: Listing

    private func page(
        of parameters: Parameters
    ) throws -> Response {
        let limit = try Self.number("limit", in: parameters) ?? 100
        guard (1...Int64(RedriveLimits.pageCountMax)).contains(limit) else {
            throw BadParameter("limit must be from 1 to \(RedriveLimits.pageCountMax)")
        }
        let after = try Self.number("after", in: parameters)
        let page = try list.page(
            after: after.map { Offset($0) }, limit: Int(limit),
            reason: parameters["reason"].map(String.init))
        return Response.jsonObject(.ok) { writer in
            writer.key("dead_letters")
            writer.beginArray()
            for line in page.lines { line.encode(into: &writer) }
            writer.endArray()
            writer.member("next", page.next?.rawValue)
        }
    }

    private static func number(_ name: String, in parameters: Parameters) throws -> Int64? {
        guard let text = parameters[Substring(name)] else { return nil }
        guard let number = Int64(text), number >= 0 else {
            throw BadParameter("\(name) must be a whole number, not below 0")
        }
        return number
    }

    // MARK: Redriving

    private func redrive(_ body: [UInt8]) async throws -> Response {
        let wanted: RedriveRequest
        do {
            wanted = try request(in: body)
        } catch let error as RecordCodecError {
            return Problem(.badRequest, "the body is not a redrive request: \(error)").response
        } catch let error as OtherFolder {
            return Problem(
                .conflict, "this daemon's data folder is \(dataPath), not \(error.path)").response
        }
        do {
            let answer = try await redriver.redrive(wanted)
            return Response.jsonObject(.ok) { answer.encode(into: &$0) }
        } catch {
            return Problem(.serviceUnavailable, "the log cannot be used now: \(error)").response
        }
    }

    private func request(in body: [UInt8]) throws -> RedriveRequest {
        let (request, folder) = try RedriveRequest.decode(body)
        if let folder, folder != dataPath { throw OtherFolder(path: folder) }
        return request
    }

    private struct OtherFolder: Error { let path: String }

    private struct BadParameter: Error {
        let message: String
        init(_ message: String) { self.message = message }
    }

    // MARK: Answers

    private static func answering(_ body: () throws -> Response) throws -> Response {
        do {
            return try body()
        } catch let error as BadParameter {
            return Problem(.badRequest, error.message).response
        } catch let error as LogError {
            return Problem(.serviceUnavailable, "the log cannot be read now: \(error)").response
        }
    }
}
