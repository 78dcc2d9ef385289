import Configuration
import Foundation
import Logging
import Reconcile
import Terminal
package import Vocabulary

/// Reads ``Settings`` from a YAML file and the environment; the environment wins.
package struct SettingsLoader {
    private let config: ConfigReader
    let environment: [String: String]
    /// Keys that the file sets.
    private let fileKeys: [String]

    /// - Parameters:
    ///   - file: path of the YAML file; nil where there is none.
    ///   - environment: the process's variables.
    package init(file: String?, environment: [String: String]) throws(SettingsError) {
        let values = try file.map { path throws(SettingsError) in
            try ConfigurationFile(at: path).values
        }
        self.environment = environment
        fileKeys = (values ?? [:]).keys.sorted()
        let fromFile = (values ?? [:]).map { key, value in
            (
                AbsoluteConfigKey(key.split(separator: ".").map(String.init)),
                ConfigValue(.string(value), isSecret: true)
            )
        }
        config = ConfigReader(providers: [
            EnvironmentVariablesProvider(environmentVariables: environment)
                .prefixKeys(with: "tillbox"),
            InMemoryProvider(values: Dictionary(fromFile) { first, _ in first }),
        ])
    }

    /// Every setting, checked.
    ///
    /// - Parameters:
    ///   - needsSecrets: whether secrets are read, and an endpoint without one is an error. Who
    ///     only looks into a folder needs none, and may not be allowed to read them.
    ///   - role: what the process runs: it reads the secrets of that alone.
    ///   - needsStripe: whether a command asks Stripe, without any role.
    package func load(
        needsSecrets: Bool = true, role: Role = .all, needsStripe: Bool = false
    ) throws -> Settings {
        var settings = Settings()
        settings.profile = try choice(.profile, default: settings.profile)
        if needsSecrets { try settings.check(role) }
        settings.dataPath = text(.data) ?? settings.dataPath
        settings.webhook.host = text(.webhookHost) ?? settings.webhook.host
        settings.webhook.port = try integer(.webhookPort, 0...65535) ?? settings.webhook.port
        settings.admin.host = text(.adminHost) ?? settings.admin.host
        settings.admin.port = try integer(.adminPort, 0...65535) ?? settings.admin.port
        settings.toleranceSeconds = Int64(try integer(.webhookTolerance, 1...86_400) ?? 300)
        settings.bodyByteCountMax =
            try integer(.webhookBodyBytesMax, 1024...(64 << 20)) ?? settings.bodyByteCountMax
        try loadPorts(&settings)
        try loadAdmin(&settings, needsSecrets: needsSecrets, role: role)
        // Who only looks asks one of the two, and need not know the other.
        let takesWebhooks = needsSecrets && role.steps.contains(.webhook)
        if settings.profile == .cloud, takesWebhooks { try listenWhereToldByThePlatform(&settings) }
        if takesWebhooks { try refuseOnePortForTwo(settings) }
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
        settings.keptMonths = try integer(
            .archiveKeepMonths, Settings.keptMonthsMin...1_200,
            because: ": of what is younger Stripe still tells, and it would be taken once more")
            ?? settings.keptMonths
        let hours = try integer(.reviewExpireHours, 0...8_760) ?? 0
        settings.reviewExpirySeconds = hours == 0 ? nil : Int64(hours) * 3_600
        settings.stripeBase = try stripeBase() ?? settings.stripeBase
        // The console makes refunds that people want of payments that they decline.
        let asksStripe = needsStripe || (needsSecrets && [.all, .console].contains(role))
        settings.stripeKey = asksStripe ? try stripeKey() : nil
        settings.reconcile = try reconcile()
        (settings.exportMinute, settings.exportsCompressed) = try export()
        settings.alerts = try alerts(settings.profile, needsSecrets: needsSecrets)
        settings.backup = try backup(settings.profile, readsKey: needsSecrets)
        try loadLogging(&settings)
        settings.livemode = try choice(
            .webhookLivemode, default: settings.profile == .dev ? .test : .live)
        settings.endpoints = try endpoints(settings.livemode, needsSecrets: takesWebhooks)
        try loadOutside(&settings)
        if needsSecrets { try settings.checkOutside(role) }
        return settings
    }

    private func loadLogging(_ settings: inout Settings) throws {
        settings.logLevel = try choice(.logLevel, default: settings.logLevel)
        settings.logFormat = try text(.logFormat).map { _ in
            try choice(.logFormat, default: .json)
        }
        let summary = try integer(.logSummarySeconds, 0...86_400) ?? 60
        settings.summarySeconds = summary == 0 ? nil : summary
    }

    private func loadPorts(_ settings: inout Settings) throws {
        let range = (1 << 20)...(1 << 40)
        settings.webhookMemoryByteCountMax =
            try integer(.webhookMemoryBytesMax, range) ?? settings.webhookMemoryByteCountMax
        settings.adminMemoryByteCountMax =
            try integer(.adminMemoryBytesMax, range) ?? settings.adminMemoryByteCountMax
        settings.adminHosts = list(SettingsKey.adminHosts.rawValue)
    }

    /// Two ports of one daemon in the same place: the second would find the first in its way, and
    /// call it another program.
    private func refuseOnePortForTwo(_ settings: Settings) throws {
        let (webhook, admin) = (settings.webhook, settings.admin)
        let hosts = [webhook.host, admin.host]
        let overlap = webhook.host == admin.host || hosts.contains("0.0.0.0")
            || hosts.contains("::")
        guard webhook.port == admin.port, webhook.port != 0, overlap else { return }
        throw SettingsError.badValue(
            key: SettingsKey.adminPort.rawValue, value: "\(admin.port)",
            expected: "another port than webhook.port, which is \(webhook.port) too")
    }

    private func stripeBase() throws -> String? {
        guard let base = text(.stripeBase) else { return nil }
        // Paths are put behind it, /v1 among them.
        guard let url = URL(string: base), ["http", "https"].contains(url.scheme),
            url.host() != nil, ["", "/"].contains(url.path()), url.query() == nil,
            url.fragment() == nil, url.user() == nil
        else {
            throw SettingsError.badValue(
                key: SettingsKey.stripeBase.rawValue, value: base,
                expected: "an address without a path, such as https://api.stripe.com")
        }
        return base.hasSuffix("/") ? String(base.dropLast()) : base
    }

    /// - Returns: minutes after midnight; nil for `off`.
    func minute(_ key: SettingsKey, default usual: String) throws -> Int? {
        let at = text(key) ?? usual
        guard at != "off" else { return nil }
        guard let minute = ReconcileSchedule.minute(of: at) else {
            throw SettingsError.badValue(
                key: key.rawValue, value: at,
                expected: "a time of day in UTC such as 02:30, or off")
        }
        return minute
    }

    private func export() throws -> (minute: Int?, isCompressed: Bool) {
        (try minute(.exportAt, default: "off"), try flag(.exportGzip))
    }

    private func reconcile() throws -> ReconcilerSettings {
        var reconcile = ReconcilerSettings()
        reconcile.schedule.nightlyMinute = try minute(.reconcileAt, default: "02:30")
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

    // MARK: Endpoints and secrets

    private func endpoints(
        _ livemode: WebhookEndpoint.Livemode, needsSecrets: Bool
    ) throws -> [WebhookEndpoint] {
        let names = try endpointNames()
        try refuseUnlisted(besides: names)
        var endpoints: [WebhookEndpoint] = []
        if given("webhook.secret") ?? given("webhook.secret_file") != nil {
            let secrets = needsSecrets ? try secrets(of: "") : []
            endpoints.append(WebhookEndpoint(name: "", secrets: secrets, livemode: livemode))
        }
        for name in names {
            let secrets = needsSecrets ? try secrets(of: name) : []
            let own: WebhookEndpoint.Livemode =
                try choice(key: "webhook.endpoint.\(name).livemode", default: livemode)
            endpoints.append(WebhookEndpoint(name: name, secrets: secrets, livemode: own))
        }
        guard !endpoints.isEmpty || !needsSecrets else {
            throw SettingsError.secretMissing(endpoint: "")
        }
        return endpoints
    }

    /// The endpoints with the secrets that can be read here. Who only looks back needs none: one
    /// that is missing, or is another user's to read, is not known.
    package func knownEndpoints() throws -> [WebhookEndpoint] {
        try endpoints(.any, needsSecrets: false).map { endpoint in
            var endpoint = endpoint
            endpoint.secrets = (try? secrets(of: endpoint.name)) ?? []
            return endpoint
        }
    }

    /// The names stand in an address and in variables' names, which knows no case.
    private func endpointNames() throws -> [String] {
        let names = list(SettingsKey.webhookEndpoints.rawValue)
        for (place, name) in names.enumerated() {
            let isUsable =
                name.wholeMatch(of: /[a-z0-9][a-z0-9_-]*/) != nil
                && !names[..<place].contains(name)
            guard isUsable else {
                throw SettingsError.badValue(
                    key: SettingsKey.webhookEndpoints.rawValue, value: name,
                    expected: "different names of small letters, digits, - and _")
            }
        }
        return names
    }

    /// A setting of an endpoint that is not listed is a slip in one of the two places.
    private func refuseUnlisted(besides names: [String]) throws {
        for key in fileKeys {
            guard let name = SettingsKey.endpoint(of: key), !names.contains(name) else { continue }
            throw SettingsError.endpointUnlisted(name: name, key: key)
        }
        // An orchestrator's own variables (…_SERVICE_HOST, …_PORT) end otherwise.
        let known = Set(
            names.flatMap { name in
                SettingsKey.endpointKeys.map {
                    SettingsKey.environmentVariable("webhook.endpoint.\(name).\($0)")
                }
            })
        let prefix = SettingsKey.environmentVariable("webhook.endpoint") + "_"
        for variable in environment.keys.sorted() where variable.hasPrefix(prefix) {
            let suffixes = SettingsKey.endpointKeys.map { "_" + $0.uppercased() }
            guard !known.contains(variable),
                let suffix = suffixes.last(where: { variable.hasSuffix($0) })
            else { continue }
            let name = variable.dropFirst(prefix.count).dropLast(suffix.count).lowercased()
            guard !name.isEmpty else { continue }
            throw SettingsError.endpointUnlisted(name: name, key: variable)
        }
    }

    /// The active secrets of an endpoint, from the value or from a private file.
    private func secrets(of endpoint: String) throws -> [String] {
        let key = endpoint.isEmpty ? "webhook.secret" : "webhook.endpoint.\(endpoint).secret"
        guard let (value, place) = try secret(key) else {
            throw SettingsError.secretMissing(endpoint: endpoint)
        }
        do {
            return try SecretText.signingSecrets(in: value).get()
        } catch {
            throw SettingsError.secretRefused(place: place, error.refusal)
        }
    }

    private func stripeKey() throws -> String? {
        guard let (value, place) = try secret(SettingsKey.stripeKey.rawValue) else { return nil }
        do {
            return try SecretText.apiKey(in: value).get()
        } catch {
            throw SettingsError.secretRefused(place: place, error.refusal)
        }
    }

    /// A secret and, for an error, where it stands.
    func secret(_ key: String) throws -> (value: String, place: String)? {
        let (value, path) = (given(key), given("\(key)_file"))
        guard value == nil || path == nil else { throw SettingsError.secretTwice(key: key) }
        if let value {
            return (value, "configuration key \(key) (\(SettingsKey.environmentVariable(key)))")
        }
        return try path.map { (try Self.text(ofSecretFile: $0), Self.place(ofSecretFile: $0)) }
    }

    private static func place(ofSecretFile path: String) -> String { "the secret file \(path)" }

    static func text(ofSecretFile path: String) throws(SettingsError) -> String {
        let text: String
        do throws(SecretFile.Refusal) {
            text = try SecretFile.text(at: path)
        } catch {
            switch error {
            case .unreadable(let reason):
                throw .secretFileUnreadable(path: path, reason: reason)
            case .exposed(let mode): throw .secretFileExposed(path: path, mode: mode)
            }
        }
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw .secretFileEmpty(path: path)
        }
        return text
    }

    /// The signing secrets in a private file that a command names.
    package static func signingSecrets(
        inFile path: String
    ) throws(SettingsError) -> [String] {
        let text = try text(ofSecretFile: path)
        do {
            return try SecretText.signingSecrets(in: text).get()
        } catch {
            throw .secretRefused(place: place(ofSecretFile: path), error.refusal)
        }
    }

    // MARK: Typed look-ups

    /// The value as it is set, which may be to nothing.
    private func given(_ key: String) -> String? {
        config.string(forKey: ConfigKey(key), isSecret: true)
    }

    private func string(_ key: String) -> String? {
        let value = given(key)
        return value?.isEmpty == true ? nil : value
    }

    func text(_ key: SettingsKey) -> String? { string(key.rawValue) }

    /// A YAML list, or one comma-separated string.
    func list(_ key: String) -> [String] {
        (string(key) ?? "").split { $0 == "," || $0.isNewline }
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// - Parameter reason: why it is not more or less, as it follows on the bounds.
    func integer(
        _ key: SettingsKey, _ range: ClosedRange<Int>, because reason: String = ""
    ) throws -> Int? {
        guard let value = text(key) else { return nil }
        guard let number = Int(value), range.contains(number) else {
            throw SettingsError.badValue(
                key: key.rawValue, value: value,
                expected: "a whole number from \(range.lowerBound) to \(range.upperBound)"
                    + reason)
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

    func choice<Choice: RawRepresentable & CaseIterable>(
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
}
