/// A configuration that cannot be used. Each case's description is one sentence that says what to
/// do, and repeats no secret.
package enum SettingsError: Error, Hashable, CustomStringConvertible {
    case fileUnreadable(path: String, reason: String)
    case fileExposed(path: String, mode: String)
    case fileMalformed(path: String, line: Int?, problem: String)
    case unknownKey(key: String, path: String, line: Int?, nearest: String?)
    case badValue(key: String, value: String, expected: String)
    case endpointUnlisted(name: String, key: String)
    case secretMissing(endpoint: String)
    case secretRefused(place: String, SecretText.Refusal)
    case secretFileEmpty(path: String)
    case secretTwice(key: String)
    case secretFileUnreadable(path: String, reason: String)
    case secretFileExposed(path: String, mode: String)
    /// - Parameters:
    ///   - needs: what cannot be without it.
    ///   - example: what it may be set to.
    case missing(key: String, needs: String, example: String)
    /// A setting that contradicts another: it would never be used, or not as it is meant.
    case contradicts(key: String, reason: String)
    case fileMissing(key: String, path: String, reason: String)
    /// The admin port would be open to a network without TLS.
    case openToNetwork(host: String)
    case certificateUnusable(path: String, reason: String)
    case roleMissing
    case roleUnknown(role: String, profile: String)

    /// Whether the same start may succeed a moment later although nobody corrects a setting: a file
    /// that one names may still be mounted, written or renewed. All else waits for a person.
    package var mayPass: Bool {
        switch self {
        case .fileUnreadable, .secretFileUnreadable, .secretFileEmpty, .fileMissing,
            .certificateUnusable:
            true
        case .fileExposed, .fileMalformed, .unknownKey, .badValue, .endpointUnlisted,
            .secretMissing, .secretRefused, .secretTwice, .secretFileExposed, .missing,
            .contradicts, .openToNetwork, .roleMissing, .roleUnknown:
            false
        }
    }

    /// Whatever of the outside stands in the sentence, no secret does.
    package var description: String { SecretText.masked(sentence) }

    private var sentence: String {
        switch self {
        case .fileUnreadable(let path, let reason):
            "cannot read the configuration file \(path): \(reason); "
                + "check the path and its permissions"
        case .fileExposed(let path, let mode):
            "the configuration file \(path) holds a secret and is open to other users (mode "
                + "\(mode)); run: chmod 600 \(path)"
        case .fileMalformed(let path, let line, let problem):
            "the configuration file \(path) is not valid YAML"
                + (line.map { " in line \($0)" } ?? "") + ": \(problem)"
        case .unknownKey(let key, let path, let line, let nearest?) where nearest == key:
            "\(key) in \(path)" + (line.map { ", line \($0)," } ?? "")
                + " is a group of keys, not a value; write its keys below it, as "
                + "docs/CONFIGURATION.md has them"
        case .unknownKey(let key, let path, let line, let nearest):
            "unknown configuration key \(key) in \(path)" + (line.map { ", line \($0)" } ?? "")
                + "; "
                + (nearest.map { "did you mean \($0)?" }
                    ?? "see docs/CONFIGURATION.md for all keys")
        case .badValue(let key, let value, let expected):
            "configuration key \(key) is \"\(value)\", but must be \(expected)"
        case .endpointUnlisted(let name, let key):
            "\(key) belongs to an endpoint \(name) that webhook.endpoints does not list; add "
                + "\(name) there, or remove the setting"
        case .secretMissing(let endpoint):
            "no webhook secret\(endpoint.isEmpty ? "" : " for endpoint \(endpoint)"); set "
                + "\(Self.variable(endpoint)) (or \(Self.variable(endpoint))_FILE) to the "
                + "endpoint's signing secret from Stripe's dashboard (whsec_…)"
        case .secretRefused(let place, let refusal): "\(place) \(refusal.sentence)"
        case .secretFileEmpty(let path):
            "the secret file \(path) is empty; write the secret into it"
        case .secretTwice(let key):
            "both \(key) and \(key)_file are set; keep one of them"
        case .secretFileUnreadable(let path, let reason):
            "cannot read the secret file \(path): \(reason)"
        case .secretFileExposed(let path, let mode):
            "the secret file \(path) is open to other users (mode \(mode)); run: chmod 600 \(path)"
        case .missing(let key, let needs, let example):
            "\(needs) needs \(key) (\(SettingsKey.environmentVariable(key))), which is not set; "
                + "set it, for example to \(example)"
        case .contradicts(let key, let reason): "\(key) is set, but \(reason)"
        case .fileMissing(let key, let path, let reason):
            "cannot read \(path), which \(key) names: \(reason)"
        case .openToNetwork(let host):
            "admin.host is \(host), so that others reach the console: give it a certificate with "
                + "admin.tls_certificate_file and admin.tls_key_file, or say admin.behind_proxy: "
                + "true where a proxy speaks TLS before it"
        case .certificateUnusable(let path, let reason):
            "the certificate \(path) of admin.tls_certificate_file cannot be used: \(reason)"
        case .roleMissing:
            "the profile cloud runs one role a process; give --role webhook, score, "
                + "ledger or console"
        case .roleUnknown(let role, let profile):
            "the profile \(profile) runs every role in one process; --role \(role) belongs to the "
                + "profile cloud"
        }
    }

    private static func variable(_ endpoint: String) -> String {
        SettingsKey.environmentVariable(
            endpoint.isEmpty ? "webhook.secret" : "webhook.endpoint.\(endpoint).secret")
    }
}
