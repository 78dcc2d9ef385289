import AsyncHTTPClient
import Console
import Foundation
import NIOCore
package import NIOHTTP1
package import Terminal
package import Vocabulary

/// The admin API of the daemon that holds the data folder.
package struct ReconcileConnection {
    package let address: Settings.Address
    package let dataPath: String

    private let patience: Patience

    /// What is known of a request that gets no answer.
    package struct Patience: Sendable {
        /// How long an answer may take to begin and to end.
        var seconds: Int64
        /// What may have come of it all the same, and where to look; nil where asking again does.
        var unanswered: String?

        package init(seconds: Int64, unanswered: String?) {
            self.seconds = seconds
            self.unanswered = unanswered
        }

        /// Most of the daemon's answers are there at once.
        package static let short = Patience(seconds: 10, unanswered: nil)
    }

    package init(address: Settings.Address, dataPath: String, patience: Patience = .short) {
        self.address = address
        self.dataPath = dataPath
        self.patience = patience
    }

    /// Longest answer read, in bytes.
    private static let bodyByteCountMax = 32 << 20

    /// It does not try again to connect: where nobody answers, that is to be said at once.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// Sends a request and hands its answer's JSON to `read`.
    ///
    /// - Throws: a `CommandFailure` that says what to do when there is no daemon, or with the
    ///   daemon's own words when it refuses.
    package func send<Value>(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil,
        refusal: (_ code: String?, _ detail: String) -> CommandFailure = { .cannotRun($1) },
        _ read: (JSONValue) throws -> Value
    ) async throws -> Value {
        let (status, bytes) = try await exchange(method, path, body)
        let document = JSONDocument(bytesMax: max(bytes.count, 1))
        return try withExtendedLifetime(document) {
            guard let root = try? document.parse(bytes) else { throw strange(path) }
            guard (200..<300).contains(status) else {
                let detail = root["detail"]?.string ?? "status \(status)"
                // What was asked for cannot be: that is the asker's to change.
                throw status == 400
                    ? CommandFailure(exitCode: CommandFailure.wrongUsage, message: detail)
                    : refusal(root["code"]?.string, detail)
            }
            return try read(root)
        }
    }

    /// The answer as it came.
    package func text(_ path: String) async throws -> String {
        let (status, bytes) = try await exchange(.GET, path, nil)
        guard status == 200 else { throw strange(path) }
        return String(decoding: bytes, as: UTF8.self)
    }

    package func strange(_ path: String) -> CommandFailure {
        .cannotRun("what answers at \(address) is no Tillbox of this version (\(path))")
    }

    private func exchange(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]?
    ) async throws -> (status: Int, body: [UInt8]) {
        var request = HTTPClientRequest(url: "http://\(address)\(path)")
        request.method = method
        request.headers.add(
            name: DataFolderCheck.headerName,
            value: DataFolderCheck.word(for: DataFolder.canonical(dataPath)))
        if method == .POST {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body ?? Array("{}".utf8)))
        }
        do {
            let response = try await Self.client.execute(
                request, timeout: .seconds(patience.seconds))
            let bytes = try await response.body.collect(upTo: Self.bodyByteCountMax)
            return (Int(response.status.code), [UInt8](bytes.readableBytesView))
        } catch let error as HTTPClientError where error == .deadlineExceeded {
            if let unanswered = patience.unanswered {
                throw CommandFailure.cannotRun(
                    "\(address) gave no answer within \(patience.seconds) s: \(unanswered)")
            }
            throw CommandFailure.cannotRun(
                "what listens at \(address) takes connections and gave no answer within "
                    + "\(patience.seconds) s: it is another program, or a daemon that hangs; "
                    + "look which process has the port (ss -ltnp)")
        } catch where Self.isCutOff(error) {
            throw CommandFailure.cannotRun(
                "the daemon at \(address) went away before it answered: "
                    + (patience.unanswered ?? "ask again once it runs"))
        } catch {
            throw CommandFailure.noDaemon(
                "no daemon answers at \(address); start it with `tillbox run --data "
                    + ShellWord.quoted(dataPath) + "`, or name its address with admin.host and "
                    + "admin.port")
        }
    }

    /// Whether the request may have been heard: there was a connection, and it ended.
    private static func isCutOff(_ error: any Error) -> Bool {
        if let error = error as? HTTPClientError { return error == .remoteConnectionClosed }
        guard let error = error as? IOError else { return false }
        return [ECONNRESET, EPIPE].contains(error.errnoCode)
    }
}
