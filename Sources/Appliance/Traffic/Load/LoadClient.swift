import Foundation
package import NIOCore
import NIOPosix

/// Why a run of the load client ended without a report.
package enum LoadError: Error, Hashable, Sendable {
    /// Nobody ever answered the first connections.
    case cannotConnect(host: String, port: Int)
    /// No answer for so long that waiting on makes no sense.
    case silent(seconds: Int)
    /// The file of acknowledged ids cannot be written.
    case cannotWrite(path: String)
}

/// Delivers a plan to a webhook endpoint over keep-alive connections, on one thread.
///
/// With a rate it is open-loop: every delivery has its intended time, and latency is measured from
/// that time, so a server that stalls cannot hide its stall by slowing the client down. With rate
/// zero it is closed-loop: each connection sends as soon as it has its answer.
package struct LoadClient: Sendable {
    package struct Settings: Sendable {
        package var target: LoadTarget
        package var secret: String
        /// Deliveries a second; zero for as many as the connections carry.
        package var rate = 0.0
        /// 1 ... `connectionsMax`; also the bound of what is in flight.
        package var connections = 16
        /// How long an answer may take; Stripe waits ten seconds.
        var answerTimeout: TimeAmount = .seconds(10)
        package var retry = Retry.bounded(attempts: 10)
        /// How long nobody may answer before the run gives up.
        package var patience: TimeAmount = .seconds(60)

        package init(
            target: LoadTarget, secret: String, rate: Double = 0.0, connections: Int = 16,
            answerTimeout: TimeAmount = .seconds(10), retry: Retry = Retry.bounded(attempts: 10),
            patience: TimeAmount = .seconds(60)
        ) {
            self.target = target
            self.secret = secret
            self.rate = rate
            self.connections = connections
            self.answerTimeout = answerTimeout
            self.retry = retry
            self.patience = patience
        }

        package static let connectionsMax = 1_024
    }

    package enum Retry: Hashable, Sendable {
        /// At most this many attempts for one delivery, at least 1.
        case bounded(attempts: Int)
        /// Keeps every delivery until it is answered for good, and waits for a server that is not
        /// there yet.
        case untilAcknowledged
    }

    /// The waits between attempts double from the first to the second of these.
    static let retryWait: (first: TimeAmount, longest: TimeAmount) = (
        .milliseconds(20), .seconds(2)
    )
    /// Deliveries that wait for another attempt; while there are more, no new one begins.
    static let waitingMax = 1_024

    package let settings: Settings

    package init(settings: Settings) {
        self.settings = settings
    }

    /// - Parameters:
    ///   - acknowledged: told of the event of each 200 to a delivery that was well signed; of
    ///     copies too.
    ///   - progress: told twice a second.
    package func run(
        _ plan: DeliveryPlan,
        acknowledged: (@Sendable (StreamedEvent) -> Void)? = nil,
        progress: (@Sendable (LoadProgress) -> Void)? = nil
    ) async throws(LoadError) -> LoadResult {
        precondition(
            (1...Settings.connectionsMax).contains(settings.connections),
            "\(settings.connections) connections")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.any()
        let promise = loop.makePromise(of: Result<LoadResult, LoadError>.self)
        let settings = settings
        loop.execute {
            LoadRun(
                settings, plan: plan, loop: loop, promise: promise, acknowledged: acknowledged,
                progress: progress
            ).begin()
        }
        // The promise is always fulfilled with a result, and nobody else shuts the group down.
        let result = try? await promise.futureResult.get()
        try? await group.shutdownGracefully()
        guard let result else { preconditionFailure("the run broke its promise") }
        return try result.get()
    }
}

/// What a run came to.
package struct LoadResult: Sendable {
    package var tally: LoadTally
    package var elapsed: TimeAmount
    /// Processor time of the whole process during the run.
    package var processorTime: TimeAmount
}

/// Where a run stands.
package struct LoadProgress: Sendable {
    package var answered: Int
    var attempts: Int
    package var elapsed: TimeAmount
    /// Nanoseconds.
    package var latencyAt99: UInt64
    /// Connections that are open.
    package var open: Int
}

/// An `http://` address to deliver to.
package struct LoadTarget: Hashable, Sendable {
    package enum Refusal: Error, Hashable { case notHTTP, noHost }

    let host: String
    let port: Int
    /// With the query, if any.
    let path: String

    /// - Parameter url: `http://host[:port][/path]`; the path defaults to `/webhooks/stripe`.
    package init(_ url: String) throws(Refusal) {
        guard let parts = URLComponents(string: url), parts.scheme?.lowercased() == "http" else {
            throw .notHTTP
        }
        guard let host = parts.host, !host.isEmpty else { throw .noHost }
        // An IPv6 address stands in brackets in a URL, but not for the resolver.
        self.host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        port = parts.port ?? 80
        let plain = parts.percentEncodedPath
        let path = plain.isEmpty || plain == "/" ? "/webhooks/stripe" : plain
        self.path = parts.percentEncodedQuery.map { "\(path)?\($0)" } ?? path
    }

    var hostHeader: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
