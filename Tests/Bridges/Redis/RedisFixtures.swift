import Bridges
import Foundation
import TestSupport
import Testing

/// Keys that no other test uses.
func freshKey(_ name: String = "key") -> String { "test:\(UUID().uuidString):\(name)" }

extension RedisServer {
    /// A configuration for the plain port, quick to come back.
    func configuration(
        _ credentials: RedisCredentials? = nil, database: Int = 0
    ) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: url)
        configuration.credentials = credentials
        configuration.database = database
        configuration.beQuick()
        return configuration
    }

    func client() throws -> RedisClient { try RedisClient(try configuration()) }

    /// A configuration for the TLS port.
    func secureConfiguration(
        host: String = "127.0.0.1", authorities: String?
    ) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(
            url: "rediss://\(host):\(securePort)", authorities: authorities)
        configuration.beQuick()
        return configuration
    }
}

extension RedisConfiguration {
    /// Waits that a test can bear, after a refusal too.
    mutating func beQuick() {
        retryMin = .milliseconds(5)
        retryMax = .milliseconds(100)
        connectTimeout = .seconds(5)
        commandTimeout = .seconds(5)
    }
}

extension RedisClient {
    /// Waits until it is connected.
    func untilConnected() async throws {
        try await eventually("connected: \(statistics)") { statistics.isConnected }
    }

    /// Waits until it says why it is not connected.
    func trouble() async throws -> RedisTrouble {
        try await eventually("a trouble") { statistics.lastTrouble != nil }
        return try #require(statistics.lastTrouble)
    }

    /// The error of a command that must fail.
    func failure(of command: RedisCommand, within time: Duration? = nil) async -> RedisError? {
        do {
            let reply = try await send(command, within: time)
            Issue.record("\(command) was answered with \(reply)")
            return nil
        } catch {
            return error
        }
    }
}
