import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import ServiceLifecycle

/// Tells the service manager that this process lives, for as long as it does: its ports answer and
/// its steps move on. A process that only has not died yet is ended by the manager and started
/// anew, which costs nothing that was acknowledged.
struct Watchdog: Service {
    let manager: ServiceManager
    /// Within which the manager must hear something.
    let seconds: Double
    let logger: Logger
    /// What is wrong, in a sentence; nil while all is well. Asked again and again.
    let trouble: @Sendable () async -> String?

    /// Words in that time: two may be lost or late.
    private static let wordsPerTime = 3.0

    func run() async throws {
        let pause = Duration.seconds(seconds / Self.wordsPerTime)
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            if let sentence = await trouble() {
                logger.critical(
                    "this process hangs and will be ended", metadata: ["reason": "\(sentence)"])
            } else {
                manager.tell(.alive, logger)
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
        }
    }
}

/// Asks a port of this process whether anybody is behind it.
struct PortQuestion: Sendable {
    let address: Settings.Address
    var isSecure = false
    /// For an answer that is a few bytes from memory.
    var patienceMilliseconds: Int64 = 10_000

    /// It is this process that answers, whatever its certificate says.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        configuration.tlsConfiguration = tls
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// The address that this machine reaches the port by.
    private var reached: Settings.Address {
        switch address.host {
        case "0.0.0.0": Settings.Address(host: "127.0.0.1", port: address.port)
        case "::": Settings.Address(host: "[::1]", port: address.port)
        case let host where host.contains(":") && !host.hasPrefix("["):
            Settings.Address(host: "[\(host)]", port: address.port)
        default: address
        }
    }

    /// What is wrong; nil where somebody answers.
    ///
    /// One that closes the connection without an answer has more of them than it serves, and turns:
    /// whoever takes all connections shall not have the process ended. Only silence, and an answer
    /// that says so, mean that it hangs.
    func trouble() async -> String? {
        do {
            var request = HTTPClientRequest(
                url: "\(isSecure ? "https" : "http")://\(reached)/healthz")
            request.headers.add(name: "Connection", value: "close")
            let response = try await Self.client.execute(
                request, timeout: .milliseconds(patienceMilliseconds))
            return response.status.code == 503 ? "\(address) says that a part hangs" : nil
        } catch let error as HTTPClientError
            where error == .deadlineExceeded || error == .connectTimeout
                || error == .readTimeout
        {
            return "\(address) gave no answer within \(patienceMilliseconds / 1_000) s"
        } catch {
            return nil
        }
    }
}
