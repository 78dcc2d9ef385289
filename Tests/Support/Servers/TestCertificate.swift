import Foundation

/// A certificate for 127.0.0.1 and localhost, signed by a CA of its own, good for two days; made by
/// the openssl tool into a folder that goes with this object.
public final class TestCertificate: Sendable {
    private let folder: TemporaryFolder
    /// What the certificate is for; empty where the common name alone says it.
    public let names: String

    public static let loopback = "IP:127.0.0.1,DNS:localhost"

    /// The CA's certificate, for who is to trust.
    public var caFile: String { folder.file("ca.crt") }
    /// The server's certificate, PEM.
    public var certificateFile: String { folder.file("server.crt") }
    /// The server's private key, PEM.
    public var keyFile: String { folder.file("server.key") }

    /// - Parameters:
    ///   - names: what the certificate is for, as openssl writes it; nil leaves the common name.
    ///   - days: until its end; one that is negative has passed.
    ///   - folder: where it lies; nil for a folder of its own.
    public init(
        names: String? = TestCertificate.loopback, commonName: String = "broker", days: Int = 2,
        in folder: TemporaryFolder? = nil
    ) async throws {
        self.names = names ?? ""
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try await openssl(
            ["req", "-x509"] + key + [
                "-keyout", folder.file("ca.key"), "-out", caFile, "-days", "2", "-subj",
                "/CN=Test CA \(UUID().uuidString)",
            ])
        try await openssl(
            ["req"] + key + [
                "-keyout", keyFile, "-out", folder.file("server.csr"), "-subj", "/CN=\(commonName)",
            ])
        try (names.map { "subjectAltName=\($0)\n" } ?? "basicConstraints=CA:FALSE\n").write(
            toFile: folder.file("names"), atomically: true, encoding: .utf8)
        try await openssl([
            "x509", "-req", "-in", folder.file("server.csr"), "-CA", caFile, "-CAkey",
            folder.file("ca.key"), "-CAcreateserial", "-days", "\(days)", "-extfile",
            folder.file("names"), "-out", certificateFile,
        ])
    }

    private func openssl(_ words: [String]) async throws {
        let (code, _, errors) = try await Child.run("/usr/bin/openssl", words)
        guard code == 0 else { throw NoCertificate(words: errors) }
    }
}

/// The openssl tool made no certificate.
public struct NoCertificate: Error, CustomStringConvertible {
    public var words: String
    public var description: String { "openssl made no certificate: \(words.suffix(400))" }
}
