import AsyncHTTPClient
import Console
import Foundation
import NIOCore
import NIOSSL
package import NIOHTTP1
import Reconcile
import Synchronization
package import Terminal
package import Vocabulary

/// The admin API of the daemon that holds the data folder, or of a role of the profile cloud.
package struct AdminConnection {
    package let address: Settings.Address
    package let dataPath: String

    private let asked: Asked
    private let patience: Patience
    /// What is shown instead of the folder's token; nil for that.
    private let token: String?
    private let isSecure: Bool

    /// Who should answer.
    package enum Asked: String, Sendable {
        case daemon, role

        package init(_ profile: Settings.Profile) { self = profile == .cloud ? .role : .daemon }
    }

    /// What is known of a request that was sent and gets no answer.
    package struct Patience: Sendable {
        /// How long a connection and an answer may take together.
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

    /// - Parameters:
    ///   - token: what is shown instead of the folder's token.
    ///   - isSecure: whether TLS is spoken.
    package init(
        address: Settings.Address, dataPath: String, asked: Asked = .daemon,
        patience: Patience = .short, token: String? = nil, isSecure: Bool = false
    ) {
        self.address = address
        self.dataPath = dataPath
        self.asked = asked
        self.patience = patience
        self.token = token
        self.isSecure = isSecure
    }

    /// The one that settings name. `admin.token` is shown where it is set: a daemon of another
    /// machine knows nothing of this one's folders.
    package init(
        _ settings: Settings, asked: Asked = .daemon, patience: Patience = .short
    ) {
        self.init(
            address: settings.admin, dataPath: settings.dataPath, asked: asked,
            patience: patience, token: settings.adminToken, isSecure: settings.adminIsSecure)
    }

    /// Whether what is sent may say whose name it is in: the data folder's token has none of its
    /// own, and every other has.
    package var saysWho: Bool { token == nil }

    /// Longest answer read, in bytes.
    private static let bodyByteCountMax = 32 << 20

    /// Longest sentence of an answer that is passed on.
    private static let detailCharactersMax = 2_000

    /// One that makes sure who answers, for a daemon of another machine.
    private static let client = client(verifies: true)
    /// A daemon of this machine is known by its folder: its certificate is for other names.
    private static let localClient = client(verifies: false)

    /// It does not try again to connect: where nobody answers, that is to be said at once.
    private static func client(verifies: Bool) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        if !verifies {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.certificateVerification = .none
            configuration.tlsConfiguration = tls
        }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Sends a request and hands its answer's JSON to `read`.
    ///
    /// - Throws: `noDaemon` where nothing was sent, the daemon's own words where it refuses, and
    ///   otherwise a sentence that leaves open what came of the request.
    package func send<Value>(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil,
        refusal: (_ code: String?, _ detail: String) -> CommandFailure = { .cannotRun($1) },
        _ read: (JSONValue) throws -> Value
    ) async throws(CommandFailure) -> Value {
        let (status, bytes) = try await exchange(method, path, body)
        let document = JSONDocument(bytesMax: max(bytes.count, 1))
        return try withExtendedLifetime(document) { () throws(CommandFailure) in
            guard let root = try? document.parse(bytes) else { throw strange(path) }
            guard (200..<300).contains(status) else {
                let code = root["code"]?.string
                let detail = RationedLog.printable(
                    root["detail"]?.string ?? "status \(status)",
                    charactersMax: Self.detailCharactersMax)
                // Another program's refusal, or a failure behind what was asked for, does not say
                // that nothing came of it; a word of ours does.
                let isOurs = root["status"]?.int64 == Int64(status)
                if isOurs, status == 401 { throw notLetIn() }
                guard isOurs, code != nil || status < 500 else {
                    throw failed(path, status, detail)
                }
                // What was asked for cannot be: that is the asker's to change.
                throw status == 400
                    ? CommandFailure(exitCode: CommandFailure.wrongUsage, message: detail)
                    : refusal(code, detail)
            }
            do {
                return try read(root)
            } catch {
                throw error as? CommandFailure ?? strange(path)
            }
        }
    }

    /// The answer as it came, whatever its status.
    package func answer(
        _ path: String
    ) async throws(CommandFailure) -> (status: Int, body: [UInt8]) {
        try await exchange(.GET, path, nil)
    }

    /// The answer as it came.
    package func text(_ path: String) async throws(CommandFailure) -> String {
        let (status, bytes) = try await exchange(.GET, path, nil)
        guard status == 200 else { throw strange(path) }
        return String(decoding: bytes, as: UTF8.self)
    }

    package func strange(_ path: String) -> CommandFailure {
        .cannotRun(
            "what answers at \(address) is no Tillbox of this version (\(path))"
                + (patience.unanswered.map { ": " + $0 } ?? ""))
    }

    private func exchange(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]?
    ) async throws(CommandFailure) -> (status: Int, body: [UInt8]) {
        var headers = HTTPHeaders()
        headers.add(
            name: DataFolderCheck.headerName,
            value: DataFolderCheck.word(for: DataFolder.canonical(dataPath)))
        let shown = token ?? DataFolder(existingAt: dataPath).consoleToken.read()
        if let shown { headers.add(name: "Authorization", value: "Bearer \(shown)") }
        var content: HTTPClient.Body?
        if method == .POST {
            headers.add(name: "Content-Type", value: "application/json")
            content = .bytes(body ?? Array("{}".utf8))
        }
        var sent: SentRequest?
        do {
            let request = try HTTPClient.Request(
                url: "\(isSecure ? "https" : "http")://\(address)\(path)", method: method,
                headers: headers, body: content)
            let waiting = SentRequest(request, bodyByteCountMax: Self.bodyByteCountMax)
            sent = waiting
            let client = token == nil ? Self.localClient : Self.client
            let response = try await client.execute(
                request: request, delegate: waiting, deadline: .now() + .seconds(patience.seconds)
            ).get()
            let bytes = response.body.map { [UInt8]($0.readableBytesView) } ?? []
            return (Int(response.status.code), bytes)
        } catch {
            guard let sent, sent.hasLeft else { throw noDaemon() }
            throw unanswered(path, error)
        }
    }

    private func failed(_ path: String, _ status: Int, _ detail: String) -> CommandFailure {
        let words = "\(address) answers \(path) with status \(status): \(detail)"
        return .cannotRun(patience.unanswered.map { "\(words); \($0)" } ?? words)
    }

    /// It answers, and does not know who asks.
    private func notLetIn() -> CommandFailure {
        let file = DataFolder(existingAt: dataPath).consoleToken.path
        return switch asked {
        case .role:
            .cannotRun(
                "\(address) does not let this command in: set admin.token_file "
                    + "(TILLBOX_ADMIN_TOKEN) as that role has it")
        case .daemon where token != nil:
            .cannotRun("\(address) does not know the token of admin.token_file")
        case .daemon:
            .cannotRun(
                "\(address) does not let this command in: \(file) is not its token, or may not be "
                    + "read; run this as the daemon's user, or set admin.token_file")
        }
    }

    /// Nothing was sent, so that nothing can have come of it.
    private func noDaemon() -> CommandFailure {
        switch asked {
        case .daemon:
            .noDaemon(
                "no daemon answers at \(address); start it with `tillbox run --data "
                    + ShellWord.quoted(dataPath) + "`, or name its address with admin.host and "
                    + "admin.port")
        case .role:
            .noDaemon(
                "no role answers at \(address); each has an address of its own: name it with "
                    + "admin.host and admin.port (TILLBOX_ADMIN_PORT), or start one with "
                    + "`tillbox run --role webhook`, score or ledger")
        }
    }

    /// The request was heard, or may have been; what came of it is not known.
    private func unanswered(_ path: String, _ error: any Error) -> CommandFailure {
        if (error as? HTTPClientError) == .deadlineExceeded {
            return .cannotRun(
                patience.unanswered.map {
                    "\(address) gave no answer within \(patience.seconds) s: \($0)"
                } ?? "what listens at \(address) takes connections and gave no answer within "
                    + "\(patience.seconds) s: it is another program, or a \(asked) that hangs; "
                    + "look which process has the port (ss -ltnp)")
        }
        if Self.isCutOff(error) {
            return .cannotRun(
                "the \(asked) at \(address) went away before it answered: "
                    + (patience.unanswered ?? "ask again once it runs"))
        }
        return .cannotRun(
            "what answers at \(address) cannot be read (\(path): \(NetworkReason.of(error))): "
                + (patience.unanswered
                    ?? "it is another program, or a Tillbox of another version"))
    }

    /// Whether there was a connection, and it ended.
    private static func isCutOff(_ error: any Error) -> Bool {
        if let error = error as? HTTPClientError { return error == .remoteConnectionClosed }
        guard let error = error as? IOError else { return false }
        return [ECONNRESET, EPIPE].contains(error.errnoCode)
    }
}

/// Gathers one answer and notes whether its request has left: a failure alone does not say that.
private final class SentRequest: HTTPClientResponseDelegate {
    typealias Response = HTTPClient.Response

    private let answer: ResponseAccumulator
    private let left = Atomic(false)

    init(_ request: HTTPClient.Request, bodyByteCountMax: Int) {
        answer = ResponseAccumulator(request: request, maxBodySize: bodyByteCountMax)
    }

    /// Whether some of the request was given to a connection.
    var hasLeft: Bool { left.load(ordering: .acquiring) }

    func didSendRequestHead(task: HTTPClient.Task<Response>, _ head: HTTPRequestHead) {
        left.store(true, ordering: .releasing)
    }

    func didReceiveHead(
        task: HTTPClient.Task<Response>, _ head: HTTPResponseHead
    ) -> EventLoopFuture<Void> {
        answer.didReceiveHead(task: task, head)
    }

    func didReceiveBodyPart(
        task: HTTPClient.Task<Response>, _ buffer: ByteBuffer
    ) -> EventLoopFuture<Void> {
        answer.didReceiveBodyPart(task: task, buffer)
    }

    func didReceiveError(task: HTTPClient.Task<Response>, _ error: any Error) {
        answer.didReceiveError(task: task, error)
    }

    func didFinishRequest(task: HTTPClient.Task<Response>) throws -> Response {
        try answer.didFinishRequest(task: task)
    }
}
