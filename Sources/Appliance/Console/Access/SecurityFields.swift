package import Appliance

/// What every answer of the admin port tells a browser, errors too.
package enum SecurityFields {
    /// Only what this port serves is loaded, and nothing that stands within a page is run.
    static let policy = """
        default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
        connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'
        """

    /// - Parameter isSecure: whether the port speaks TLS: then browsers ask it in no other way, for
    ///   half a year.
    package static func of(isSecure: Bool) -> PortFields {
        var always = [
            ("Content-Security-Policy", policy), ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        if isSecure { always.append(("Strict-Transport-Security", "max-age=15552000")) }
        return PortFields(always: always, otherwise: ("Cache-Control", "no-store"))
    }
}
