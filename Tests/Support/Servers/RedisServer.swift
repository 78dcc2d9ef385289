import Foundation

/// A Redis server of its own on loopback ports, one plain and, with a certificate, one for TLS. It
/// keeps nothing on the disk.
public final class RedisServer: @unchecked Sendable {
    // `@unchecked Sendable`: used from one test at a time; the shared one only starts.
    public let port: Int
    public let securePort: Int
    private let folder: TemporaryFolder
    private let settings: [String]
    private var certificate: TestCertificate?
    private var process: ServerProcess?

    /// One for all tests of this process that do it no harm; each uses keys of its own.
    public static func shared() async throws -> RedisServer { try await sharedStart.value }

    /// Its certificate lies in its folder, which goes with the server when the process ends.
    private static let sharedStart = Task {
        let folder = try TemporaryFolder()
        return try await RedisServer(certificate: try await TestCertificate(in: folder), in: folder)
    }

    /// - Parameters:
    ///   - settings: further words of redis-server's command line, such as `--requirepass`,
    ///     `secret`.
    ///   - folder: its own; nil for a fresh one.
    public init(
        certificate: TestCertificate? = nil, settings: [String] = [],
        in folder: TemporaryFolder? = nil
    ) async throws {
        port = try freePort()
        securePort = try freePort()
        self.folder = try folder ?? TemporaryFolder()
        self.certificate = certificate
        self.settings = settings
        try await start()
    }

    public var url: String { "redis://127.0.0.1:\(port)" }
    public var secureURL: String { "rediss://127.0.0.1:\(securePort)" }
    /// The authority that signed the certificate.
    public var authorities: String? { certificate?.caFile }

    /// Starts it, empty. Returns when it takes connections.
    public func start() async throws {
        var words = [
            "/usr/bin/redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--dir",
            folder.path, "--save", "", "--appendonly", "no", "--daemonize", "no",
        ]
        if let certificate {
            words += [
                "--tls-port", "\(securePort)", "--tls-cert-file", certificate.certificateFile,
                "--tls-key-file", certificate.keyFile, "--tls-ca-cert-file", certificate.caFile,
                "--tls-auth-clients", "no",
            ]
        }
        process = try ServerProcess(words + settings, folder: folder)
        try await eventually("Redis listens") {
            guard process?.isRunning == true else {
                throw NoRedis(words: process?.output ?? "")
            }
            return (try? RawConnection(port: port)) != nil
        }
    }

    /// Ends it at once; everything is lost.
    public func kill() async throws { try await process?.end(SIGKILL) }

    public func restart() async throws {
        try await kill()
        try await start()
    }

    /// Restarts it with another certificate.
    public func restart(with certificate: TestCertificate) async throws {
        self.certificate = certificate
        try await restart()
    }

    /// Holds it: connections stay, and nothing is answered.
    public func freeze() { process?.freeze() }
    public func thaw() { process?.thaw() }

    /// One command through Redis's own client.
    @discardableResult
    public func tool(_ words: String...) async throws -> String {
        let (_, output, errors) = try await Child.run(
            "/usr/bin/redis-cli", ["-p", "\(port)"] + words)
        return (output + errors).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// The server ended by itself.
public struct NoRedis: Error, CustomStringConvertible {
    public var words: String
    public var description: String { "redis-server ended: \(words.suffix(400))" }
}
