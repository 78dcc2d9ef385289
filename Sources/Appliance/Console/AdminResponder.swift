package import Appliance
import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import NIOHTTP1
package import Vocabulary

/// The admin port: a request that may come from where it says goes to the routes.
///
/// Before any route it is decided whether the request is for this daemon at all (its Host), and
/// whether a page of another site may have caused it: see ``AdminGuard``.
package struct AdminResponder: PortResponder {
    private let routes: any HTTPResponder<AdminContext>
    private let rules: [AdminRoutes.Rule]
    private let openPaths: Set<String>
    private let absent: [AbsentPart]
    private let guards: AdminGuard
    private let access: any AdminAccess
    private let proxyCount: Int
    private let streamLook: Duration
    private let shares = StreamShares()
    private let turns: RequestTurns
    private let counters: Counters
    private let logger: Logger

    package let fields: PortFields
    package let bodyByteCountMax = GateLimits.adminBodyByteCountMax

    /// - Parameters:
    ///   - isSecure: whether the port speaks TLS itself.
    ///   - proxyCount: of trusted proxies before it, which say whom a request is from; 0 for none.
    ///   - streamLook: between two looks at whether who reads a stream may still come in.
    ///   - workCountMax: requests that are at work at once.
    package init(
        routes: AdminRoutes, guards: AdminGuard, access: any AdminAccess, isSecure: Bool = false,
        proxyCount: Int = 0,
        streamLook: Duration = .seconds(AccessLimits.streamLookSeconds),
        workCountMax: Int = GateLimits.adminWorkCountMax, counters: Counters, logger: Logger
    ) {
        turns = RequestTurns(workCountMax)
        fields = SecurityFields.of(isSecure: isSecure)
        self.proxyCount = proxyCount
        self.streamLook = streamLook
        self.routes = routes.router.buildResponder()
        rules = routes.rules
        openPaths = Set(
            routes.rules.filter { $0.needs == nil && $0.method == "GET" }.map(\.path))
        absent = routes.absent
        self.guards = guards
        self.access = access
        self.counters = counters
        // Routes answer for themselves; a request is no news.
        var quiet = logger
        quiet.logLevel = .warning
        self.logger = quiet
    }

    package func count(_ refusal: Counters.Name) { counters.add(refusal) }

    /// A bank's statements are the only body of the port that is large.
    package func bodyByteCountMax(for request: PortRequest) -> Int {
        request.method == .POST && request.target == BankRoutes.statementsPath
            ? BankRoutes.bodyByteCountMax : bodyByteCountMax
    }

    package func respond(
        to request: PortRequest, completion: @escaping @Sendable (PortResponse) -> Void
    ) {
        if let problem = guards.problem(with: request) {
            counters.add(.adminRequestsRefused)
            return completion(PortResponse(problem))
        }
        // Routes may read the disk or ask a server, and wait for them: each on a thread of its own,
        // so that those which wait hold up neither one another nor what everybody may ask, as
        // `/healthz`. Those threads are everybody's: so many at once, and the others in their turn.
        let thread = isOpen(request) ? nil : OwnThread("tillbox.console.request")
        Task(executorPreference: thread) {
            if thread != nil { await turns.enter() }
            let (answer, body) = await answer(request)
            if thread != nil { turns.leave() }
            completion(answer)
            guard let body, let stream = answer.stream else { return }
            await send(body.body, over: stream, to: body.caller, of: request)
            if let share = body.share { shares.giveBack(share) }
        }
    }

    /// Whether it only asks for what everybody may see, which waits for nothing.
    private func isOpen(_ request: PortRequest) -> Bool {
        guard request.method == .GET || request.method == .HEAD else { return false }
        return openPaths.contains(String(request.target.prefix { $0 != "?" }))
    }

    /// Who reads a stream, and what they are given.
    private struct Streamed {
        var caller: Caller?
        /// Given back when the stream is over.
        var share: StreamShares.Share?
        var body: ResponseBody
    }

    /// Writes a body until it ends, nobody reads it any more, or who does may no longer, which is
    /// then said.
    private func send(
        _ body: ResponseBody, over stream: PortStream, to caller: Caller?, of request: PortRequest
    ) async {
        await withTaskGroup(of: AccessStanding?.self) { group in
            group.addTask {
                await stream.isOver()
                return nil
            }
            if let caller { group.addTask { await untilRefused(caller, request) } }
            group.addTask {
                // A stream has no other place for a failure than its end.
                try? await body.write(StreamWriter(stream: stream))
                return nil
            }
            let standing = await group.next() ?? nil
            group.cancelAll()
            // A piece that the client does not take would hold the writer up.
            stream.finish(saying: standing.flatMap(ServerSentEvent.end))
        }
    }

    /// Returns when what the request showed is good no longer: its session or token was ended, has
    /// expired, or has another role. So it does where that cannot be known.
    ///
    /// - Returns: nil where the stream is over before.
    private func untilRefused(_ caller: Caller, _ request: PortRequest) async -> AccessStanding? {
        var standing = AccessStanding.good
        while standing == .good {
            // Cancelled when the stream is over.
            guard (try? await Task.sleep(for: streamLook)) != nil else { return nil }
            standing = await access.standing(of: caller, by: request)
        }
        return standing
    }

    /// - Returns: the answer, and what its stream is to be given where it has one.
    private func answer(_ request: PortRequest) async -> (PortResponse, Streamed?) {
        guard let asked = Request(request) else {
            return (PortResponse(Problem(.badRequest, "the request cannot be understood")), nil)
        }
        do {
            let (caller, refusal) = try await caller(of: request)
            let context = AdminContext(
                source: AdminContextSource(
                    logger: logger, caller: caller, refusal: refusal,
                    address: address(of: request), audit: access.log, sent: request.body))
            let response = try await routes.respond(to: asked, context: context)
            guard response.status != .notFound || response.body.contentLength != 0 else {
                return (missing(asked), nil)
            }
            if response.headers[.contentType] == ServerSentEvent.contentType {
                let share = try shares.take(for: caller)
                return (
                    PortResponse(streaming: response, on: request.channel),
                    Streamed(caller: caller, share: share, body: response.body)
                )
            }
            return (try await PortResponse(response), nil)
        } catch let error as any HTTPResponseError {
            guard error.status != .notFound else { return (missing(asked), nil) }
            return (PortResponse(Problem(error.status, "\(error)")), nil)
        } catch {
            return (PortResponse(Problem(of: error)), nil)
        }
    }

    /// Who asks. Where the accounts cannot be read nobody does, and what needs a role says why;
    /// what is open to everybody is open to a browser with a session, too.
    private func caller(of request: PortRequest) async throws -> (Caller?, refusal: Problem?) {
        do {
            return (try await access.caller(of: request), nil)
        } catch let failure as AccountsFailure {
            return (nil, Problem(of: failure))
        }
    }

    /// Where a request comes from: the trusted proxies' word where there are any.
    private func address(of request: PortRequest) -> String? {
        ForwardedAddress.of(
            request.headers[canonicalForm: "X-Forwarded-For"], trusted: proxyCount)
            ?? request.channel.remoteAddress?.ipAddress
    }
}

extension AdminResponder {
    /// There is no such route: no such path, or another method is meant.
    private func missing(_ request: Request) -> PortResponse {
        let methods = rules.methods(at: request.uri.path)
        guard !methods.isEmpty else {
            return PortResponse(absent.problem(at: request.uri.path))
        }
        // HEAD is answered as GET is, without the body.
        let allowed = (methods + (methods.contains("GET") ? ["HEAD"] : [])).sorted()
        // What another plane can be asked for here is done otherwise on this one.
        let other = absent.first { $0.has(request.uri.path) }.map { "; \($0.sentence)" } ?? ""
        return PortResponse(
            Problem(
                .methodNotAllowed,
                "\(request.method.rawValue) is no method here; there is "
                    + allowed.joined(separator: ", ") + other),
            fields: [("allow", allowed.joined(separator: ", "))])
    }
}

/// Who may speak to the admin port.
///
/// A page that a person at this machine has open can send requests here. It cannot choose their
/// Host (a name of its own that it points at 127.0.0.1 is not served) nor hide where it comes from
/// (Origin, Sec-Fetch-Site), so that it can neither read an answer nor change anything.
package struct AdminGuard: Sendable {
    /// Names that always mean this machine.
    private static let loopback: Set<String> = ["localhost", "127.0.0.1", "::1"]

    private let hosts: Set<String>

    /// - Parameters:
    ///   - listens: the host that the port listens on.
    ///   - further: other names under which it is reached, such as a proxy's.
    package init(listensOn listens: String, further: [String] = []) {
        hosts = Self.loopback.union(([listens] + further).map { Self.name($0) })
    }

    /// Why the request is refused; nil when it may pass.
    func problem(with request: PortRequest) -> Problem? {
        guard let host = request.headers.first(name: "Host"), serves(host, on: request.channel)
        else {
            return Problem(
                .misdirectedRequest,
                "this host is not served here; add it to admin.hosts if it should be")
        }
        guard request.method != .GET, request.method != .HEAD else { return nil }
        let site = request.headers.first(name: "Sec-Fetch-Site")?.lowercased()
        guard site == nil || site == "same-origin" || site == "none" else {
            return Problem(.forbidden, "a page of another site may not change anything here")
        }
        if let origin = request.headers.first(name: "Origin"), !Self.isSame(origin, host),
            // A form of a page that tells nobody where it stands: so ours are.
            origin != "null" || site != "same-origin"
        {
            return Problem(.forbidden, "a page of another site may not change anything here")
        }
        return nil
    }

    /// A name that is configured, or the very address that the connection came to: a page cannot
    /// make a browser send that as Host without having been loaded from it.
    private func serves(_ host: String, on channel: any Channel) -> Bool {
        let name = Self.name(host)
        return hosts.contains(name) || channel.localAddress?.ipAddress.map { Self.name($0) } == name
    }

    private static func isSame(_ origin: String, _ host: String) -> Bool {
        guard let scheme = origin.firstRange(of: "://") else { return false }
        return origin[scheme.upperBound...].lowercased() == host.lowercased()
    }

    /// Without port and brackets: `[::1]:9090` is `::1`.
    static func name(_ host: String) -> String {
        let host = host.lowercased()
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return String(host[host.index(after: host.startIndex)..<end])
        }
        // More than one colon is an address of IPv6 without a port.
        guard host.count(where: { $0 == ":" }) == 1 else { return host }
        return String(host.prefix { $0 != ":" })
    }
}

extension Request {
    /// The same request as the routes read it; nil where it cannot be put so.
    fileprivate init?(_ request: PortRequest) {
        // The answer to HEAD is the one to GET, whose body the port leaves out.
        let method = request.method == .HEAD ? .GET : request.method
        guard let method = HTTPRequest.Method(rawValue: method.rawValue),
            request.target.first == "/"
        else { return nil }
        var fields = HTTPFields()
        for (name, value) in request.headers {
            guard let name = HTTPField.Name(name) else { return nil }
            fields.append(HTTPField(name: name, value: value))
        }
        self.init(
            head: HTTPRequest(
                method: method, scheme: "http", authority: request.headers.first(name: "Host"),
                path: String(request.target), headerFields: fields),
            body: RequestBody(buffer: ByteBuffer(bytes: request.body)))
    }
}

extension PortResponse {
    /// A refusal of the admin port.
    fileprivate init(_ problem: Problem, fields: [(name: String, value: String)] = []) {
        self.init(
            HTTPResponseStatus(statusCode: problem.status.code), json: problem.bytes,
            type: ProblemDocument.type, fields: problem.fields + fields)
    }

    /// What a route answers, gathered.
    fileprivate init(_ response: Response) async throws {
        let body = Gathered()
        try await response.body.write(Gatherer(into: body))
        self.init(
            HTTPResponseStatus(statusCode: response.status.code), json: body.bytes,
            type: response.headers[.contentType] ?? "application/octet-stream",
            fields: Self.fields(of: response))
    }

    /// What a route answers whose body is written for as long as somebody reads it.
    fileprivate init(streaming response: Response, on channel: any Channel) {
        let refusal = Problem(
            .serviceUnavailable,
            "\(GateLimits.streamCountMax) consoles are open already; close one, or retry later")
        self.init(
            HTTPResponseStatus(statusCode: response.status.code),
            stream: PortStream(
                on: channel, heartbeat: ServerSentEvent.heartbeat,
                elseAnswering: PortResponse(refusal)),
            type: ServerSentEvent.contentType, fields: Self.fields(of: response))
    }

    private static func fields(of response: Response) -> [(name: String, value: String)] {
        // The port writes these itself.
        let own: [HTTPField.Name] = [.contentType, .contentLength, .xContentTypeOptions]
        return response.headers.compactMap { field in
            own.contains(field.name) ? nil : (field.name.rawName, field.value)
        }
    }

    private final class Gathered {
        var bytes: [UInt8] = []
    }

    private struct Gatherer: ResponseBodyWriter {
        let body: Gathered

        init(into body: Gathered) { self.body = body }

        mutating func write(_ buffer: ByteBuffer) async throws {
            body.bytes += buffer.readableBytesView
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }
}

/// Hands what a body writes to its stream, a piece at a time.
private struct StreamWriter: ResponseBodyWriter {
    let stream: PortStream

    mutating func write(_ buffer: ByteBuffer) async throws { try await stream.write(buffer) }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
