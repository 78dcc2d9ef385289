import NIOCore
import NIOSSL

/// What a port shows who speaks TLS to it: a certificate with its chain, and the key to it.
package struct PortTLS: Sendable {
    private let context: NIOSSLContext

    /// Why a certificate or a key cannot be used.
    package struct Refusal: Error {
        package let reason: String
    }

    /// TLS 1.2 or later.
    ///
    /// - Parameters:
    ///   - certificates: PEM; the port's own first, those that vouch for it behind.
    ///   - key: PEM, without a password.
    package init(certificates: String, key: String) throws(Refusal) {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(Array(certificates.utf8))
        } catch {
            throw Refusal(reason: "it holds no certificate in PEM (\(error))")
        }
        guard !chain.isEmpty else { throw Refusal(reason: "it holds no certificate in PEM") }
        do {
            let own = try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(own))
            configuration.minimumTLSVersion = .tlsv12
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw Refusal(reason: "the key is not the certificate's, or not in PEM (\(error))")
        }
    }

    /// Before every other handler, so that those see what was meant.
    func open(_ channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
    }
}
