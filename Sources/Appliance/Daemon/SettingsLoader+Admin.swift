import Appliance
import Foundation

/// Who may reach the admin port, and how.
extension SettingsLoader {
    /// Names and addresses of this machine alone.
    private static let loopback: Set<String> = ["localhost", "::1", "[::1]"]

    /// - Parameters:
    ///   - needsSecrets: whether the port is to be opened; who only asks it needs no key.
    ///   - role: which decides what the port shows.
    func loadAdmin(_ settings: inout Settings, needsSecrets: Bool, role: Role) throws {
        settings.adminProxyCount = try adminProxyCount()
        settings.adminToken = try adminToken(needsSecrets: needsSecrets)
        let (certificate, key) = (text(.adminCertificateFile), text(.adminKeyFile))
        guard (certificate == nil) == (key == nil) else {
            let missing: SettingsKey = certificate == nil ? .adminCertificateFile : .adminKeyFile
            throw SettingsError.missing(
                key: missing.rawValue, needs: "TLS on the admin port",
                example: "/etc/tillbox/\(certificate == nil ? "console.pem" : "console.key")")
        }
        settings.adminIsSecure = certificate != nil
        guard needsSecrets else { return }
        if let certificate, let key {
            settings.adminTLS = try Self.tls(certificate: certificate, key: key)
        }
        // The other roles of the profile cloud show counts alone.
        let showsMoney = settings.profile != .cloud || role == .console
        guard showsMoney, settings.adminTLS == nil, !settings.adminIsBehindProxy,
            !Self.isLoopback(settings.admin.host)
        else { return }
        throw SettingsError.openToNetwork(host: settings.admin.host)
    }

    /// One proxy appends one address; some append more.
    private func adminProxyCount() throws -> Int {
        let count = try integer(.adminProxyCount, 1...Self.proxyCountMax)
        guard try flag(.adminBehindProxy) else {
            guard count == nil else {
                throw SettingsError.contradicts(
                    key: SettingsKey.adminProxyCount.rawValue,
                    reason: "admin.behind_proxy is not true: X-Forwarded-For is not believed at "
                        + "all then; set that too, or leave this out")
            }
            return 0
        }
        return count ?? 1
    }

    private static let proxyCountMax = 16

    static func isLoopback(_ host: String) -> Bool {
        loopback.contains(host.lowercased())
            || host.wholeMatch(of: /127(\.[0-9]{1,3}){3}/) != nil
    }

    /// Who only asks may not be allowed to read it, and is then told so by who refuses.
    private func adminToken(needsSecrets: Bool) throws -> String? {
        do {
            let text = try secret(SettingsKey.adminToken.rawValue)?.value
                .trimmingCharacters(in: .whitespacesAndNewlines)
            return text?.isEmpty == true ? nil : text
        } catch {
            guard needsSecrets else { return nil }
            throw error
        }
    }

    private static func tls(certificate: String, key: String) throws -> PortTLS {
        let chain: String
        do {
            chain = try String(contentsOfFile: certificate, encoding: .utf8)
        } catch {
            throw SettingsError.fileMissing(
                key: SettingsKey.adminCertificateFile.rawValue, path: certificate,
                reason: error.localizedDescription)
        }
        let secret = try text(ofSecretFile: key)
        do throws(PortTLS.Refusal) {
            return try PortTLS(certificates: chain, key: secret)
        } catch {
            throw SettingsError.certificateUnusable(path: certificate, reason: error.reason)
        }
    }

    func flag(_ key: SettingsKey) throws -> Bool {
        switch text(key)?.lowercased() {
        case nil, "false": return false
        case "true": return true
        case let value?:
            throw SettingsError.badValue(
                key: key.rawValue, value: value, expected: "true or false")
        }
    }
}
