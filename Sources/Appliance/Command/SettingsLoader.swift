import Configuration
import Foundation
import SystemPackage
import Yams

/// A configuration that cannot be used. Each case's description is one sentence that says what to do.
enum SettingsError: Error, Hashable, CustomStringConvertible {
    case fileUnreadable(path: String, reason: String)
    case fileMalformed(path: String, reason: String)
    case unknownKey(key: String, path: String, nearest: String?)
    case badValue(key: String, value: String, expected: String)
    case secretMissing(endpoint: String)
    case secretFileUnreadable(path: String, reason: String)
    case secretFileExposed(path: String, mode: String)

    var description: String {
        switch self {
        case .fileUnreadable(let path, let reason):
            "cannot read the configuration file \(path): \(reason); check the path and its permissions"
        case .fileMalformed(let path, let reason):
            "the configuration file \(path) is not valid YAML: \(reason)"
        case .unknownKey(let key, let path, let nearest):
            "unknown configuration key \(key) in \(path); "
                + (nearest.map { "did you mean \($0)?" } ?? "see docs/CONFIGURATION.md for all keys")
        case .badValue(let key, let value, let expected):
            "configuration key \(key) is \"\(value)\", but must be \(expected)"
        case .secretMissing(let endpoint):
            "no webhook secret\(endpoint.isEmpty ? "" : " for endpoint \(endpoint)"); set "
                + "\(Self.variable(endpoint)) (or \(Self.variable(endpoint))_FILE) to the endpoint's "
                + "signing secret from Stripe's dashboard (whsec_…)"
        case .secretFileUnreadable(let path, let reason):
            "cannot read the secret file \(path): \(reason)"
        case .secretFileExposed(let path, let mode):
            "the secret file \(path) is open to other users (mode \(mode)); run: chmod 600 \(path)"
        }
    }

    private static func variable(_ endpoint: String) -> String {
        SettingsKey.environmentVariable(
            endpoint.isEmpty ? "webhook.secret" : "webhook.endpoint.\(endpoint).secret")
    }
}

/// Reads ``Settings`` from a YAML file and the environment; the environment wins.
struct SettingsLoader {
    private let config: ConfigReader

    /// - Parameters:
    ///   - file: path of the YAML file; nil where there is none.
    ///   - environment: the process's variables.
    init(file: String?, environment: [String: String]) async throws {
        var providers: [any ConfigProvider] = [
            EnvironmentVariablesProvider(environmentVariables: environment)
                .prefixKeys(with: "tillbox")
        ]
        if let file {
            try Self.checkKeys(of: file)
            do {
                providers.append(try await FileProvider<YAMLSnapshot>(filePath: FilePath(file)))
            } catch {
                throw SettingsError.fileMalformed(path: file, reason: "\(error)")
            }
        }
        config = ConfigReader(providers: providers)
    }

    /// Every setting, checked.
    ///
    /// - Parameter needsSecrets: whether an endpoint without a secret is an error.
    func load(needsSecrets: Bool = true) throws -> Settings {
        var settings = Settings()
        settings.profile = try choice(.profile, default: settings.profile)
        settings.dataPath = text(.data) ?? settings.dataPath
        settings.webhook.host = text(.webhookHost) ?? settings.webhook.host
        settings.webhook.port = try integer(.webhookPort, 0...65535) ?? settings.webhook.port
        settings.admin.host = text(.adminHost) ?? settings.admin.host
        settings.admin.port = try integer(.adminPort, 0...65535) ?? settings.admin.port
        settings.toleranceSeconds = Int64(try integer(.webhookTolerance, 1...86_400) ?? 300)
        settings.bodyByteCountMax =
            try integer(.webhookBodyBytesMax, 1024...(64 << 20)) ?? settings.bodyByteCountMax
        try loadPorts(&settings)
        settings.defaultMerchant = MerchantID(text(.merchantDefault) ?? "default")
        settings.modelPath = text(.modelPath)
        settings.reviewFrom = try probability(.reviewFrom)
        settings.blockFrom = try probability(.blockFrom)
        settings.amountLimits = try amountLimits()
        settings.customersMax = try integer(.customersMax, 1...100_000_000) ?? settings.customersMax
        settings.movementsMax = try integer(.movementsMax, 1...100_000_000) ?? settings.movementsMax
        settings.segmentByteCountMax =
            try integer(.segmentBytesMax, (1 << 20)...(1 << 30)) ?? settings.segmentByteCountMax
        settings.retentionDays = try integer(.retentionDays, 1...36_500)
        settings.stripeBase = try stripeBase() ?? settings.stripeBase
        settings.stripeKey = try stripeKey()
        settings.reconcile = try reconcile()
        settings.logLevel = text(.logLevel) ?? settings.logLevel
        settings.logFormat = try choice(.logFormat, default: settings.logFormat)
        settings.livemode = try choice(
            .webhookLivemode, default: settings.profile == .dev ? .test : .live)
        settings.endpoints = try endpoints(settings.livemode, needsSecrets: needsSecrets)
        return settings
    }

    private func loadPorts(_ settings: inout Settings) throws {
        let range = (1 << 20)...(1 << 40)
        settings.webhookMemoryByteCountMax =
            try integer(.webhookMemoryBytesMax, range) ?? settings.webhookMemoryByteCountMax
        settings.adminMemoryByteCountMax =
            try integer(.adminMemoryBytesMax, range) ?? settings.adminMemoryByteCountMax
        settings.adminHosts = list(SettingsKey.adminHosts.rawValue)
    }

    private func stripeBase() throws -> String? {
        guard let base = text(.stripeBase) else { return nil }
        guard let url = URL(string: base), ["http", "https"].contains(url.scheme), url.host() != nil
        else {
            throw SettingsError.badValue(
                key: SettingsKey.stripeBase.rawValue, value: base,
                expected: "an address such as https://api.stripe.com")
        }
        return base.hasSuffix("/") ? String(base.dropLast()) : base
    }

    private func stripeKey() throws -> String? {
        if let path = text(.stripeKeyFile) {
            return Self.split(try Self.readSecret(at: path)).first
        }
        return string(SettingsKey.stripeKey.rawValue, isSecret: true)
    }

    private func reconcile() throws -> ReconcilerSettings {
        var reconcile = ReconcilerSettings()
        let at = text(.reconcileAt) ?? "02:30"
        if at != "off" {
            guard let minute = ReconcileSchedule.minute(of: at) else {
                throw SettingsError.badValue(
                    key: SettingsKey.reconcileAt.rawValue, value: at,
                    expected: "a time of day in UTC such as 02:30, or off")
            }
            reconcile.schedule.nightlyMinute = minute
        }
        let hours = try integer(.reconcileGraceHours, 0...720) ?? 48
        reconcile.limits.graceSeconds = Int64(hours) * 3600
        reconcile.chargeWaitSeconds = Int64(
            try integer(.reconcileChargeWaitSeconds, 0...3600) ?? 30)
        let minutes = try integer(.sweepMinutes, 0...1440) ?? 60
        reconcile.schedule.sweepSeconds = minutes == 0 ? nil : Int64(minutes) * 60
        reconcile.sweep.delaySeconds = Int64(try integer(.sweepDelaySeconds, 0...86_400) ?? 300)
        reconcile.sweep.alertAgeSeconds =
            Int64(try integer(.sweepAlertDays, 1...29) ?? 20) * 86_400
        return reconcile
    }

    private func endpoints(
        _ livemode: WebhookEndpoint.Livemode, needsSecrets: Bool
    ) throws -> [WebhookEndpoint] {
        var endpoints: [WebhookEndpoint] = []
        let unnamed = try secrets(below: "webhook")
        if !unnamed.isEmpty {
            endpoints.append(WebhookEndpoint(name: "", secrets: unnamed, livemode: livemode))
        }
        for name in list(SettingsKey.webhookEndpoints.rawValue) {
            let below = "webhook.endpoint.\(name)"
            let secrets = try secrets(below: below)
            guard !secrets.isEmpty || !needsSecrets else {
                throw SettingsError.secretMissing(endpoint: name)
            }
            let own: WebhookEndpoint.Livemode =
                try choice(key: "\(below).livemode", default: livemode)
            endpoints.append(WebhookEndpoint(name: name, secrets: secrets, livemode: own))
        }
        guard !endpoints.isEmpty || !needsSecrets else {
            throw SettingsError.secretMissing(endpoint: "")
        }
        return endpoints
    }

    /// The active secrets below a key, from the value or from a file that only its owner can read.
    private func secrets(below prefix: String) throws -> [String] {
        if let path = string("\(prefix).secret_file") {
            return Self.split(try Self.readSecret(at: path))
        }
        return Self.split(string("\(prefix).secret", isSecret: true) ?? "")
    }

    private static func split(_ list: String) -> [String] {
        list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
            .filter { !$0.isEmpty }
    }

    private static func readSecret(at path: String) throws -> String {
        let attributes: [FileAttributeKey: Any]
        do {
            attributes = try FileManager.default.attributesOfItem(atPath: path)
        } catch {
            throw SettingsError.secretFileUnreadable(path: path, reason: "no such file")
        }
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard mode & 0o077 == 0 else {
            throw SettingsError.secretFileExposed(path: path, mode: String(mode, radix: 8))
        }
        guard let secret = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw SettingsError.secretFileUnreadable(path: path, reason: "not readable as text")
        }
        return secret
    }

    private func amountLimits() throws -> [Currency: MinorUnits] {
        var limits: [Currency: MinorUnits] = [:]
        for item in list(SettingsKey.amountLimits.rawValue) {
            let parts = item.split(separator: ":").map(String.init)
            guard parts.count == 2, let currency = Currency(parts[0]), let limit = Int64(parts[1]),
                limit > 0
            else {
                throw SettingsError.badValue(
                    key: SettingsKey.amountLimits.rawValue, value: item,
                    expected: "a list of currency:minor-units pairs such as usd:500000,jpy:800000")
            }
            limits[currency] = MinorUnits(limit)
        }
        return limits
    }

    // MARK: Typed look-ups

    private func string(_ key: String, isSecret: Bool = false) -> String? {
        let value = config.string(forKey: ConfigKey(key), isSecret: isSecret)
        return value?.isEmpty == true ? nil : value
    }

    private func text(_ key: SettingsKey) -> String? { string(key.rawValue) }

    /// A YAML list, or one comma-separated string.
    private func list(_ key: String) -> [String] {
        if let items = config.stringArray(forKey: ConfigKey(key)) { return items }
        return Self.split(string(key) ?? "")
    }

    private func integer(_ key: SettingsKey, _ range: ClosedRange<Int>) throws -> Int? {
        guard let value = text(key) else { return nil }
        guard let number = Int(value), range.contains(number) else {
            throw SettingsError.badValue(
                key: key.rawValue, value: value,
                expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func probability(_ key: SettingsKey) throws -> Double? {
        guard let value = text(key) else { return nil }
        guard let number = Double(value), (0...1).contains(number) else {
            throw SettingsError.badValue(
                key: key.rawValue, value: value, expected: "a probability from 0 to 1")
        }
        return number
    }

    private func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: SettingsKey, default fallback: Choice
    ) throws -> Choice where Choice.RawValue == String {
        try choice(key: key.rawValue, default: fallback)
    }

    private func choice<Choice: RawRepresentable & CaseIterable>(
        key: String, default fallback: Choice
    ) throws -> Choice where Choice.RawValue == String {
        guard let value = string(key) else { return fallback }
        guard let choice = Choice(rawValue: value) else {
            throw SettingsError.badValue(
                key: key, value: value,
                expected: "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return choice
    }

    // MARK: Unknown keys

    /// Refuses a file with a key that no setting has: a mistyped limit must not pass as a default.
    private static func checkKeys(of file: String) throws {
        let yaml: String
        do {
            yaml = try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            let exists = FileManager.default.fileExists(atPath: file)
            throw SettingsError.fileUnreadable(
                path: file, reason: exists ? "not readable as UTF-8 text" : "no such file")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw SettingsError.fileMalformed(path: file, reason: "\(error)")
        }
        guard let mapping = root?.mapping else {
            throw SettingsError.fileMalformed(path: file, reason: "it must hold key: value pairs")
        }
        for key in flatten(mapping, below: "") where !isKnown(key) {
            throw SettingsError.unknownKey(key: key, path: file, nearest: nearest(to: key))
        }
    }

    private static func flatten(_ mapping: Node.Mapping, below prefix: String) -> [String] {
        mapping.flatMap { key, value -> [String] in
            let path = prefix + (key.string ?? "?")
            return value.mapping.map { flatten($0, below: path + ".") } ?? [path]
        }
    }

    private static func isKnown(_ key: String) -> Bool {
        if SettingsKey(rawValue: key) != nil { return true }
        let parts = key.split(separator: ".").map(String.init)
        return parts.count == 4 && parts[0] == "webhook" && parts[1] == "endpoint"
            && SettingsKey.endpointKeys.contains(parts[3])
    }

    /// The known key with the smallest edit distance, if it is near enough to be meant.
    static func nearest(to key: String) -> String? {
        let ranked = SettingsKey.allCases.map { ($0.rawValue, editDistance($0.rawValue, key)) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= max(3, key.count / 3) else {
            return nil
        }
        return best.0
    }

    /// Levenshtein's distance: insertions, deletions and substitutions from one word to the other.
    private static func editDistance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (i, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let substituted = diagonal + (letter == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
