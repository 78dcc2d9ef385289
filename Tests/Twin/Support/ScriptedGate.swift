import Foundation
import NIOConcurrencyHelpers
package import NIOCore
package import NIOHTTP1
import NIOPosix

/// A webhook gate for the load client's tests: it remembers ids, and a script may make it behave
/// badly, request by request.
package final class ScriptedGate: Sendable {
    package struct Request: Sendable {
        /// From 1, in order of arrival.
        package let number: Int
        package let id: String
        package let signature: String?
    }

    package enum Behaviour: Sendable {
        /// 200, with `duplicate` if the id has been accepted before.
        case receive(after: TimeAmount = .zero)
        case answer(HTTPResponseStatus, String)
        /// Accepts the event and closes the connection without a word.
        case receiveAndHangUp
        case hangUp
        case stayMute
    }

    package struct Record: Sendable {
        package var requests = 0
        package var accepted: [String] = []
        package var known: Set<String> = []
        package var inFlight = 0
        package var inFlightMost = 0
        package var connections = 0
        package var signatures: [String: [String]] = [:]
        /// By id, the hashes of the bodies that came under it.
        package var bodies: [String: Set<Int>] = [:]
        /// The events' types.
        package var types: Set<String> = []
    }

    package typealias Script = @Sendable (Request) -> Behaviour

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener = NIOLockedValueBox<(any Channel)?>(nil)
    private let record = NIOLockedValueBox(Record())
    private let open = NIOLockedValueBox<[ObjectIdentifier: any Channel]>([:])
    private let script: Script

    package init(_ script: @escaping Script = { _ in .receive() }) { self.script = script }

    package var state: Record { record.withLockedValue { $0 } }

    /// - Parameter port: 0 for any.
    /// - Returns: the port.
    package func listen(port: Int = 0) async throws -> Int {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    open.withLockedValue { $0[ObjectIdentifier(channel)] = channel }
                    record.withLockedValue { $0.connections += 1 }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(gate: self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        listener.withLockedValue { $0 = channel }
        return channel.localAddress?.port ?? 0
    }

    /// Closes the listener and every connection, as a killed process would. May be called from the
    /// script.
    package func die() {
        listener.withLockedValue { $0 }?.close(promise: nil)
        for channel in open.withLockedValue({ Array($0.values) }) { channel.close(promise: nil) }
    }

    package func stop() async throws {
        die()
        try await group.shutdownGracefully()
    }

    private struct Event: Decodable { var type: String }

    fileprivate func begin(id: String, signature: String?, body: ByteBuffer) -> Behaviour {
        let event = try? JSONDecoder().decode(Event.self, from: Data(body.readableBytesView))
        let number = record.withLockedValue {
            $0.requests += 1
            $0.inFlight += 1
            $0.inFlightMost = max($0.inFlightMost, $0.inFlight)
            $0.signatures[id, default: []].append(signature ?? "")
            $0.bodies[id, default: []].insert(body.hashValue)
            if let event { $0.types.insert(event.type) }
            return $0.requests
        }
        return script(Request(number: number, id: id, signature: signature))
    }

    fileprivate func finish() { record.withLockedValue { $0.inFlight -= 1 } }

    fileprivate func accept(_ id: String) -> Bool {
        record.withLockedValue {
            guard $0.known.insert(id).inserted else { return false }
            $0.accepted.append(id)
            return true
        }
    }

    fileprivate func forget(_ channel: any Channel) {
        _ = open.withLockedValue { $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let gate: ScriptedGate
        private var signature: String?
        private var body = ByteBuffer()

        init(gate: ScriptedGate) { self.gate = gate }

        func channelInactive(context: ChannelHandlerContext) { gate.forget(context.channel) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                signature = head.headers.first(name: "Stripe-Signature")
                body.clear()
            case .body(var part): body.writeBuffer(&part)
            case .end: respond(context)
            }
        }

        private func respond(_ context: ChannelHandlerContext) {
            let parsed = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView))
            let id = (parsed as? [String: Any])?["id"] as? String ?? "?"
            let behaviour = gate.begin(id: id, signature: signature, body: body)
            defer { gate.finish() }
            switch behaviour {
            case .receive(let delay):
                let isNew = gate.accept(id)
                let text = isNew ? #"{"received":true}"# : #"{"received":true,"duplicate":true}"#
                guard delay > .zero else { return write(.ok, text, context) }
                let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                context.eventLoop.scheduleTask(in: delay) {
                    bound.value.0.write(.ok, text, bound.value.1)
                }
            case .answer(let status, let text): write(status, text, context)
            case .receiveAndHangUp:
                _ = gate.accept(id)
                context.close(promise: nil)
            case .hangUp: context.close(promise: nil)
            case .stayMute: return
            }
        }

        private func write(
            _ status: HTTPResponseStatus, _ text: String, _ context: ChannelHandlerContext
        ) {
            let headers = HTTPHeaders([("content-length", "\(text.utf8.count)")])
            let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            let body = ByteBuffer(string: text)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
