internal import COpenSSL
internal import Foundation

/// Whose certificate the peer has shown.
enum PeerCertificate {
    /// Checks that the certificate carries the name: a host name or an address among its
    /// alternative names or, where it has none at all, as its common name (RFC 6125 §6.4.4).
    ///
    /// OpenSSL's own check of an address never looks at the common name, under which a server that
    /// is known by its address alone may stand.
    ///
    /// - Throws: `otherName`, `broken`.
    static func check(of session: OpaquePointer, for name: String) throws(TLSError) {
        guard let certificate = SSL_get1_peer_certificate(session) else {
            throw .broken("no certificate")
        }
        defer { X509_free(certificate) }
        guard !carries(certificate, name) else { return }
        throw .otherName(wanted: name, names: names(of: certificate))
    }

    private static func carries(_ certificate: OpaquePointer, _ name: String) -> Bool {
        let hasAlternatives = alternativesIndex(of: certificate) >= 0
        if let number = SocketAddress.numberBytes(name) {
            guard !hasAlternatives else {
                return X509_check_ip(certificate, number, number.count, 0) == 1
            }
            return commonName(of: certificate).flatMap(SocketAddress.numberBytes) == number
        }
        let flags =
            UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)
            | (hasAlternatives ? UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT) : 0)
        return X509_check_host(certificate, name, name.utf8.count, flags, nil) == 1
    }

    private static func alternativesIndex(of certificate: OpaquePointer) -> Int32 {
        X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
    }

    /// Nil where there is none, or where it is longer than any host name or holds a zero byte.
    private static func commonName(of certificate: OpaquePointer) -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        // SAFETY: OpenSSL writes at most so many bytes, the last of them a zero.
        let length = X509_NAME_get_text_by_NID(
            X509_get_subject_name(certificate), NID_commonName, &buffer, Int32(buffer.count))
        guard length > 0, length < buffer.count - 1 else { return nil }
        let bytes = buffer[..<Int(length)].map(UInt8.init(bitPattern:))
        return bytes.contains(0) ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// The names as OpenSSL prints them, bounded, for a sentence.
    private static func names(of certificate: OpaquePointer) -> String {
        let index = alternativesIndex(of: certificate)
        guard index >= 0, let printed = BIO_new(BIO_s_mem()) else {
            return commonName(of: certificate) ?? "nobody"
        }
        defer { BIO_free(printed) }
        X509V3_EXT_print(printed, X509_get_ext(certificate, index), 0, 0)
        var bytes = [UInt8](repeating: 0, count: 200)
        // SAFETY: OpenSSL writes at most as many bytes as the buffer has.
        let count = BIO_read(printed, &bytes, Int32(bytes.count))
        return String(decoding: bytes[..<Int(max(0, count))], as: UTF8.self)
    }

    /// OpenSSL's words for what its check of the chain found.
    static func text(ofVerdict verdict: Int) -> String {
        // SAFETY: the text is constant, and copied.
        X509_verify_cert_error_string(verdict).map { String(cString: $0) } ?? "unknown"
    }
}
