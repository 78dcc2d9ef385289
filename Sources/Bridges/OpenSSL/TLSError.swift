/// Why a TLS connection does not come about, or ends.
public enum TLSError: Error, Hashable, Sendable {
    /// The file with the certificate authorities cannot be used; the reason is OpenSSL's.
    case authorities(file: String, reason: String)
    /// The peer's certificate is not to be trusted; code and reason are OpenSSL's
    /// (`X509_V_ERR_…`).
    case untrusted(code: Int, reason: String)
    /// The certificate is good, but another's.
    case otherName(wanted: String, names: String)
    /// What answers there does not speak TLS.
    case notTLS
    /// The peer, or OpenSSL, broke it off; the reason is OpenSSL's.
    case broken(String)

    /// Whether it may go away without anybody mending anything.
    public var isRetryable: Bool { if case .broken = self { true } else { false } }
}

extension TLSError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .authorities(let file, let reason):
            "the file of certificate authorities \(file) cannot be used (\(reason)); it must hold "
                + "PEM certificates"
        case .untrusted(let code, let reason):
            "the server's certificate is not trusted (\(reason), code \(code)); give the "
                + "authority that signed it, or renew it"
        case .otherName(let wanted, let names):
            "the server's certificate is for \(names) and not for \(wanted); connect by a name "
                + "that it carries"
        case .notTLS:
            "the server does not speak TLS on this port; use its TLS port, or connect without TLS"
        case .broken(let reason): "the TLS connection broke off (\(reason))"
        }
    }
}
